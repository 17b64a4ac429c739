import { beforeEach, describe, expect, test } from "vitest";
import { adamFactors } from "../../src/coordinator/adam.ts";
import { ModelState } from "../../src/coordinator/model-state.ts";
import {
  CONTRIBUTION_COUNT,
  CORRECT_INDEX,
  LOSS_INDEX,
  SLICE_NAMES,
  type SliceName,
  SLICES,
} from "../../src/shared/model/contribution.ts";
import { PARAMETER_COUNT, STATE_COUNT } from "../../src/shared/model/lenet5.ts";
import { SharedPool } from "../../src/shared/transport/shared-pool.ts";
import { sharedMemory, VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { adamLoop, type PlainMoments } from "../support/adam-loop.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

const memory = new VectorMemory();
const sums = {
  dense: memory.allocate(SLICES.dense.contributionLength),
  conv: memory.allocate(SLICES.conv.contributionLength),
};
const start = randomVector(STATE_COUNT, 1);
const contributionOf = (step: number): Float32Array => randomVector(CONTRIBUTION_COUNT, 100 + step);

let model: ModelState;
beforeEach(() => {
  model = new ModelState(memory, start);
});

function apply(slice: SliceName, contribution: Float32Array, to = model): void {
  const { start: first, contributionLength } = SLICES[slice];
  sums[slice].values.set(contribution.subarray(first, first + contributionLength));
  to.applySlice(slice, sums[slice], 0.001);
}

function stepBy(contribution: Float32Array, order: readonly SliceName[] = SLICE_NAMES, to = model): void {
  for (const slice of order) apply(slice, contribution, to);
  to.commit();
}

test("begins with a copy of the given state, and zero moments", () => {
  const given = start.slice();
  model = new ModelState(memory, given);
  given.fill(5);
  expect(model.step).toBe(0);
  expectSameBits(model.state, start);
  expect([model.adamM, model.adamV].every((moments) => moments.every((value) => value === 0))).toBe(true);
});

test("steps the parameters by Adam and moves the statistics with momentum 0.1, as a plain loop does", () => {
  let expected: PlainMoments = {
    p: start.slice(0, PARAMETER_COUNT),
    m: new Float32Array(PARAMETER_COUNT),
    v: new Float32Array(PARAMETER_COUNT),
  };
  let statistics = start.slice(PARAMETER_COUNT);
  const [keep, take] = [Math.fround(0.9), Math.fround(0.1)];
  for (let step = 0; step < 5; step++) {
    const contribution = contributionOf(step);
    stepBy(contribution);
    expected = adamLoop(expected, contribution.subarray(0, PARAMETER_COUNT), adamFactors(0.001, step + 1));
    statistics = statistics.map((old, i) =>
      Math.fround(Math.fround(old * keep) + Math.fround(contribution[PARAMETER_COUNT + i]! * take)),
    );
  }
  expect(model.step).toBe(5);
  expectSameBits(model.state.slice(0, PARAMETER_COUNT), expected.p, "parameters");
  expectSameBits(model.state.slice(PARAMETER_COUNT), statistics, "statistics");
  expectSameBits(model.adamM, expected.m, "m");
  expectSameBits(model.adamV, expected.v, "v");
});

describe("restored", () => {
  test("goes on to the same bits", () => {
    const whole = new ModelState(memory, start, 0.9);
    for (let step = 0; step < 3; step++) stepBy(contributionOf(step), SLICE_NAMES, whole);
    const saved = checkpointOf(3, {
      ...{ state: whole.average.slice(), latest: whole.state },
      ...{ adamM: whole.adamM.slice(), adamV: whole.adamV.slice() },
    });
    const pool = new SharedPool(sharedMemory());
    for (const restored of [
      new ModelState(memory, randomVector(STATE_COUNT, 9), 0.9),
      new ModelState(pool.vectors, randomVector(STATE_COUNT, 9), 0.9, pool),
    ]) {
      restored.restore(saved);
      expect(restored.step).toBe(3);
      expectSameBits(restored.state, saved.latest, "state");
      expectSameBits(Float32Array.from(restored.snapshot(3, "conv")), saved.latest.slice(0, SLICES.conv.stateLength));
      expectSameBits(restored.average, saved.state, "average");
    }
    const restored = new ModelState(memory, randomVector(STATE_COUNT, 9), 0.9);
    restored.restore(saved);
    for (let step = 3; step < 6; step++) {
      stepBy(contributionOf(step), SLICE_NAMES, whole);
      stepBy(contributionOf(step), SLICE_NAMES, restored);
    }
    expectSameBits(restored.state, whole.state, "state");
    expectSameBits(restored.average, whole.average, "average");
    expectSameBits(restored.adamM, whole.adamM, "m");
    expectSameBits(restored.adamV, whole.adamV, "v");
  });

  test("in the middle of a run is refused", () => {
    stepBy(contributionOf(0));
    expect(() => model.restore(checkpointOf(3))).toThrow("a model that is in use was to be restored");
  });
});

test("gives the same bits for either order of the slices", () => {
  const other = new ModelState(memory, start);
  for (let step = 0; step < 6; step++) {
    stepBy(contributionOf(step), ["dense", "conv"], model);
    stepBy(contributionOf(step), step % 2 === 0 ? ["conv", "dense"] : ["dense", "conv"], other);
  }
  expectSameBits(other.state, model.state, "state");
  expectSameBits(other.adamM, model.adamM, "m");
  expectSameBits(other.adamV, model.adamV, "v");
});

test("says the step's loss and correct count", () => {
  const contribution = contributionOf(0);
  contribution[LOSS_INDEX] = 12.5;
  contribution[CORRECT_INDEX] = 31;
  apply("conv", contribution);
  apply("dense", contribution);
  expect(model.commit()).toEqual({ lossSum: 12.5, correct: 31 });
});

describe("the average", () => {
  test("of no memory is the last step's state", () => {
    expectSameBits(model.average, start);
    for (let step = 0; step < 3; step++) {
      stepBy(contributionOf(step));
      expect(model.average).toEqual(model.state);
    }
  });

  test("keeps more of itself with each step, up to its limit, whether it is looked at or not", () => {
    const [looked, unseen] = [new ModelState(memory, start, 0.3), new ModelState(memory, start, 0.3)];
    let expected = start.slice();
    for (let step = 1; step <= 6; step++) {
      stepBy(contributionOf(step), SLICE_NAMES, looked);
      stepBy(contributionOf(step), ["conv", "dense"], unseen);
      const keep = Math.min(0.3, (1 + step) / (10 + step));
      const [kept, taken] = [Math.fround(keep), Math.fround(1 - keep)];
      const { state } = looked;
      expected = expected.map((old, i) => Math.fround(old * kept) + Math.fround(state[i]! * taken));
      expectSameBits(looked.average, expected, `average after step ${step}`);
    }
    expectSameBits(unseen.average, expected);
  });

  test("is sent as a copy of its slices", () => {
    stepBy(contributionOf(0));
    const [dense, conv] = [model.averageSnapshot("dense"), model.averageSnapshot("conv")];
    const sent = Float32Array.from([...conv, ...dense]);
    expectSameBits(sent, model.average.slice());
    stepBy(contributionOf(1));
    expectSameBits(Float32Array.from([...conv, ...dense]), sent);
  });
});

describe("until the commit", () => {
  test("the old version stays readable", () => {
    stepBy(contributionOf(0));
    const [before, m, v] = [model.state.slice(), model.adamM.slice(), model.adamV.slice()];
    for (const slice of SLICE_NAMES) {
      apply(slice, contributionOf(1));
      expectSameBits(model.state, before);
      expectSameBits(model.adamM, m);
      expectSameBits(model.adamV, v);
      expect(model.step).toBe(1);
    }
    model.commit();
    expect(model.step).toBe(2);
    expect(model.state).not.toEqual(before);
  });

  test.each<[string, SliceName[]]>([
    ["no slice", []],
    ["the dense slice alone", ["dense"]],
    ["the convolution slice alone", ["conv"]],
  ])("a commit with %s throws", (_, slices) => {
    stepBy(contributionOf(0));
    for (const slice of slices) apply(slice, contributionOf(1));
    expect(() => model.commit()).toThrow("step 1 was committed before all its slices");
  });

  test.each(SLICE_NAMES)("slice %s applied twice throws", (slice) => {
    apply(slice, contributionOf(0));
    expect(() => apply(slice, contributionOf(0))).toThrow(`slice ${slice} of step 0 was applied twice`);
  });
});

describe("snapshot", () => {
  const expectedSlice = (state: Float32Array, name: SliceName): Float32Array =>
    state.slice(SLICES[name].start, SLICES[name].start + SLICES[name].stateLength);

  test("of the current version, and of the next one where it has been stepped", () => {
    apply("dense", contributionOf(0));
    expectSameBits(model.snapshot(0, "dense"), expectedSlice(start, "dense"));
    expectSameBits(model.snapshot(0, "conv"), expectedSlice(start, "conv"));
    const early = model.snapshot(1, "dense");
    expect(() => model.snapshot(1, "conv")).toThrow("there is no version 1 of slice conv to send");
    apply("conv", contributionOf(0));
    model.commit();
    expectSameBits(early, expectedSlice(model.state, "dense"));
    expectSameBits(model.snapshot(1, "conv"), expectedSlice(model.state, "conv"));
  });

  test("never changes, however many steps follow", () => {
    const kept = [];
    for (let step = 0; step < 4; step++) {
      for (const name of SLICE_NAMES) {
        const snapshot = model.snapshot(step, name);
        kept.push({ snapshot, copy: snapshot.slice() });
      }
      stepBy(contributionOf(step));
    }
    for (const { snapshot, copy } of kept) expectSameBits(snapshot, copy);
  });

  test("is made once for all who are sent it", () => {
    expect(model.snapshot(0, "dense")).toBe(model.snapshot(0, "dense"));
    apply("dense", contributionOf(0));
    const early = model.snapshot(1, "dense");
    apply("conv", contributionOf(0));
    model.commit();
    expect(model.snapshot(1, "dense")).toBe(early);
  });

  test.each([-1, 1, 2])("of version %i, of which nothing was stepped, throws", (version) => {
    expect(() => model.snapshot(version, "dense")).toThrow(`there is no version ${version}`);
  });

  test("of a version that has passed throws", () => {
    model.snapshot(0, "dense");
    stepBy(contributionOf(0));
    expect(() => model.snapshot(0, "dense")).toThrow("there is no version 0");
  });
});

describe("in the memory of threads", () => {
  const pool = new SharedPool(sharedMemory());
  const shared = pool.vectors;
  const sharedSums = {
    dense: shared.allocate(SLICES.dense.contributionLength),
    conv: shared.allocate(SLICES.conv.contributionLength),
  };
  function step(to: ModelState, contribution: Float32Array): void {
    for (const slice of SLICE_NAMES) {
      const { start: first, contributionLength } = SLICES[slice];
      sharedSums[slice].values.set(contribution.subarray(first, first + contributionLength));
      to.applySlice(slice, sharedSums[slice], 0.001);
    }
    to.commit();
  }

  test("steps to the same bits", () => {
    const threads = new ModelState(shared, start, 0.3, pool);
    const other = new ModelState(memory, start, 0.3);
    for (let i = 0; i < 5; i++) {
      step(threads, contributionOf(i));
      stepBy(contributionOf(i), SLICE_NAMES, other);
    }
    expectSameBits(threads.state, other.state, "state");
    expectSameBits(threads.average, other.average, "average");
    expectSameBits(threads.adamM, other.adamM, "m");
    expectSameBits(threads.adamV, other.adamV, "v");
  });

  test("a slice is sent as it is, and not written to while anybody retains it", () => {
    const threads = new ModelState(shared, start, 0, pool);
    const sent = SLICE_NAMES.map((name) => threads.snapshot(0, name));
    expect(sent.map(({ buffer }) => buffer)).toEqual([shared.memory.buffer, shared.memory.buffer]);
    const before = sent.map((values) => values.slice());
    for (const values of sent) pool.retain(values);
    for (let i = 0; i < 4; i++) step(threads, contributionOf(i));
    for (const [i, values] of sent.entries()) expectSameBits(values, before[i]!, SLICE_NAMES[i]);
    for (const values of sent) pool.release(values);
    for (let i = 0; i < 4; i++) step(threads, contributionOf(i));
    expect(sent[0]).not.toEqual(before[0]);
  });
});
