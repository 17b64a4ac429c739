import { describe, expect, test } from "vitest";
import { adamFactors } from "../../src/coordinator/adam.ts";
import { ModelState } from "../../src/coordinator/model-state.ts";
import { CONTRIBUTION_COUNT, SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { PARAMETER_COUNT, STATE_COUNT, tensor } from "../../src/shared/model/lenet5.ts";
import { VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { adamLoop, type PlainMoments } from "../support/adam-loop.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

const WEIGHTS = ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight", "fc3.weight"];

const memory = new VectorMemory();
const sums = {
  dense: memory.allocate(SLICES.dense.contributionLength),
  conv: memory.allocate(SLICES.conv.contributionLength),
};

function stepBy(model: ModelState, contribution: Float32Array, rate: number, weightDecay?: number): void {
  for (const slice of SLICE_NAMES) {
    const { start, contributionLength } = SLICES[slice];
    sums[slice].values.set(contribution.subarray(start, start + contributionLength));
    model.applySlice(slice, sums[slice], rate, weightDecay);
  }
  model.commit();
}

/** Numbers by the names of the tensors that they lie in. */
function places(names: readonly string[]): Set<number> {
  return new Set(names.map(tensor).flatMap(({ offset, size }) => Array.from({ length: size }, (_, i) => offset + i)));
}

test("shrinks weights, and nothing else, before the step, as a plain float32 loop does", () => {
  const decaying = places(WEIGHTS);
  const model = new ModelState(memory, randomVector(STATE_COUNT, 1));
  let expected: PlainMoments = {
    p: model.state.slice(0, PARAMETER_COUNT),
    m: new Float32Array(PARAMETER_COUNT),
    v: new Float32Array(PARAMETER_COUNT),
  };
  for (let t = 1; t <= 5; t++) {
    const rate = Math.fround(0.002 * t);
    const contribution = randomVector(CONTRIBUTION_COUNT, 100 + t);
    const keep = Math.fround(1 - rate * 0.3);
    const shrunk = expected.p.map((value, i) => (decaying.has(i) ? value * keep : value));
    expected = adamLoop({ ...expected, p: shrunk }, contribution.subarray(0, PARAMETER_COUNT), adamFactors(rate, t));
    const before = model.state;
    for (const slice of SLICE_NAMES) {
      const { start, contributionLength } = SLICES[slice];
      sums[slice].values.set(contribution.subarray(start, start + contributionLength));
      model.applySlice(slice, sums[slice], rate, 0.3);
    }
    expectSameBits(model.state, before, "what holds until the commit");
    model.commit();
    expectSameBits(model.state.slice(0, PARAMETER_COUNT), expected.p, `parameters after step ${t}`);
    expectSameBits(model.adamM, expected.m, "m");
    expectSameBits(model.adamV, expected.v, "v");
  }
});

test("leaves the running statistics as they would be without", () => {
  const [decayed, kept] = [0.5, 0].map((weightDecay) => {
    const model = new ModelState(memory, randomVector(STATE_COUNT, 2));
    stepBy(model, randomVector(CONTRIBUTION_COUNT, 3), 0.01, weightDecay);
    return model.state;
  });
  expectSameBits(decayed!.slice(PARAMETER_COUNT), kept!.slice(PARAMETER_COUNT), "statistics");
  expect(decayed).not.toEqual(kept);
});

/*
 * torch 1.13.0:
 *
 *     weight = torch.nn.Parameter(torch.tensor([1.0, -0.5, 0.25, 3.0, 0.0]))
 *     bias = torch.nn.Parameter(weight.detach().clone())
 *     optimizer = torch.optim.AdamW([{"params": [weight], "weight_decay": 0.5}, {"params": [bias], "weight_decay": 0.0}])
 *     for t in range(1, 51):
 *         for group in optimizer.param_groups:
 *             group["lr"] = 0.001 * min(1, t / 10)
 *         for p in (weight, bias):
 *             p.grad = torch.tensor([0.3, -2.0, 1e-4, 5.0 if t % 2 else -5.0, 0.01 * t])
 *         optimizer.step()
 *         if t in (1, 10, 50): print(t, weight.tolist(), bias.tolist())
 */
describe("agrees with torch.optim.AdamW while the learning rate moves", () => {
  const START = [1, -0.5, 0.25, 3, 0];
  const BIASES = ["conv1.bias", "bn1.weight", "bn2.bias", "fc1.bias", "fc3.bias"];

  test.each([
    [
      1,
      [0.9998499751091003, -0.499875009059906, 0.24988751113414764, 2.9997501373291016, -9.999990288633853e-5],
      [0.9998999834060669, -0.4999000132083893, 0.24990001320838928, 2.9999001026153564, -9.999990288633853e-5],
    ],
    [
      10,
      [0.9917598366737366, -0.49313321709632874, 0.243820458650589, 2.991403579711914, -0.0054494221694767475],
      [0.9945000410079956, -0.4945000112056732, 0.2445005476474762, 2.999643087387085, -0.005455867853015661],
    ],
    [
      50,
      [0.9325039982795715, -0.44375377893447876, 0.1993826925754547, 2.9319465160369873, -0.05460536479949951],
      [0.9545005559921265, -0.4545005261898041, 0.20450463891029358, 2.9994330406188965, -0.0551767535507679],
    ],
  ])("after step %i", (steps, weights, biases) => {
    const state = new Float32Array(STATE_COUNT);
    for (const name of [...WEIGHTS, ...BIASES]) state.set(START, tensor(name).offset);
    const model = new ModelState(memory, state);
    const contribution = new Float32Array(CONTRIBUTION_COUNT);
    for (let t = 1; t <= steps; t++) {
      const gradient = [0.3, -2, 1e-4, t % 2 === 1 ? 5 : -5, 0.01 * t];
      for (const name of [...WEIGHTS, ...BIASES]) contribution.set(gradient, tensor(name).offset);
      stepBy(model, contribution, Math.fround(0.001 * Math.min(1, t / 10)), 0.5);
    }
    for (const [names, expected] of [
      [WEIGHTS, weights],
      [BIASES, biases],
    ] as const) {
      for (const name of names) {
        const found = model.state.subarray(tensor(name).offset);
        // A rounding or two in the last place a step, as without decay.
        for (const [i, value] of expected.entries()) {
          expect(Math.abs(found[i]! - value), `${name}[${i}]`).toBeLessThan((steps + 1) * 2 ** -22);
        }
      }
    }
  });
});
