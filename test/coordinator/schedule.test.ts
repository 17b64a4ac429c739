import { describe, expect, test } from "vitest";
import { learningRate } from "../../src/coordinator/schedule.ts";

// prettier-ignore
const ONE_CYCLE_20 = [0.00015999999999999999, 0.0020800000000000003, 0.004, 0.003965946335583006, 0.0038649449990308758, 0.0037004354697221424, 0.00347801992236998, 0.0032052724516814218, 0.0028914811456462303, 0.002547331790840245, 0.002184543980779728, 0.001815472019220272, 0.001452684209159755, 0.0011085348543537698, 0.0007947435483185785, 0.0005219960776300199, 0.00029958053027785784, 0.00013507100096912382, 3.40696644169939e-05, 1.6e-08];

const f32 = Math.fround;

type Schedule = "constant" | "cosine" | "one-cycle";

/** Of a run whose epochs have four steps. */
function rates(schedule: Schedule, lr: number, totalSteps: number, warmupEpochs?: number): number[] {
  const config = { schedule, lr, ...(warmupEpochs === undefined ? {} : { warmupEpochs }) };
  const run = { stepsPerEpoch: 4, totalSteps };
  return Array.from({ length: totalSteps }, (_, step) => learningRate(config, step, run));
}

test("constant stays at lr, as a float32", () => {
  expect(rates("constant", 0.001, 3)).toEqual([f32(0.001), f32(0.001), f32(0.001)]);
});

test("cosine goes from lr to nearly 0", () => {
  expect(rates("cosine", 0.1, 4)).toEqual([0.1, 0.08535533905932738, 0.05, 0.014644660940672627].map(f32));
});

describe("one-cycle", () => {
  test("gives what torch.optim.lr_scheduler.OneCycleLR(max_lr=0.004, total_steps=20, pct_start=0.15) gives", () => {
    // Worked out in Python from the formula in PyTorch's documentation.
    expect(rates("one-cycle", 0.004, 20)).toEqual(ONE_CYCLE_20.map(f32));
  });

  test("reaches its peak after 15 % of the steps, and rises before and falls after", () => {
    const all = rates("one-cycle", 0.006, 1000);
    expect(all[0]).toBe(f32(0.006 / 25));
    expect(all.indexOf(Math.max(...all))).toBe(149);
    expect(all[149]).toBe(f32(0.006));
    expect(all.slice(0, 150)).toEqual(all.slice(0, 150).toSorted((a, b) => a - b));
    expect(all.slice(149)).toEqual(all.slice(149).toSorted((a, b) => b - a));
    expect(all.at(-1)).toBeCloseTo(2.4e-8, 15);
  });

  test.each([1, 2, 3, 6, 7])("is finite and positive for a run of %i steps", (totalSteps) => {
    for (const rate of rates("one-cycle", 0.004, totalSteps)) {
      expect(rate).toBeGreaterThan(0);
      expect(rate).toBeLessThanOrEqual(f32(0.004));
    }
  });
});

/*
 * torch 1.13.0, with lr=0.004 and schedulers stepped once a step: LinearLR(start_factor=1 / 5, total_iters=4), the same
 * followed by CosineAnnealingLR(T_max=7), and OneCycleLR(max_lr=0.004, total_steps=20, pct_start=5 / 20).
 */
// prettier-ignore
const WARM_CONSTANT_8 = [0.0008, 0.0016, 0.0024000000000000002, 0.0032, 0.004, 0.004, 0.004, 0.004];
// prettier-ignore
const WARM_COSINE_12 = [0.0008, 0.0016, 0.0024000000000000002, 0.0032, 0.004, 0.004, 0.003801937735804838, 0.003246979603717467, 0.0024450418679126287, 0.0015549581320873714, 0.000753020396282533, 0.0001980622641951619];
// prettier-ignore
const WARM_ONE_CYCLE_19 = [0.00015999999999999999, 0.0007223549801218289, 0.0020800000000000003, 0.003437645019878171, 0.004, 0.003956295376286806, 0.00382709160692154, 0.0036180355166139395, 0.003338263859672865, 0.0030000039999999997, 0.0026180395166139395, 0.0022090640903076005, 0.0017909519096923996, 0.0013819764833860604, 0.0010000120000000004, 0.000661752140327135, 0.00038198048338606026, 0.00017292439307845919, 4.372062371319449e-05];

describe("a warm-up of a quarter more than an epoch", () => {
  test.each<[Schedule, number, readonly number[]]>([
    ["constant", 8, WARM_CONSTANT_8],
    ["cosine", 12, WARM_COSINE_12],
    ["one-cycle", 20, WARM_ONE_CYCLE_19],
  ])("of %s over %i steps gives what PyTorch's schedulers give", (schedule, steps, expected) => {
    const found = rates(schedule, 0.004, steps, 1.25).slice(0, expected.length);
    for (const [step, rate] of expected.entries()) {
      // PyTorch multiplies its way from step to step.
      expect(Math.abs(found[step]! / rate - 1), `step ${step}`).toBeLessThan(2 ** -22);
    }
    expect(Math.max(...found)).toBe(f32(0.004));
  });

  test("of constant does not depend on how long the run is", () => {
    expect(rates("constant", 0.004, 8, 1.25)).toEqual(rates("constant", 0.004, 40, 1.25).slice(0, 8));
  });
});

test.each<Schedule>(["constant", "cosine", "one-cycle"])(
  "%s may warm up for the whole run, or not at all",
  (schedule) => {
    const all = rates(schedule, 0.004, 8, 2);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    expect(new Set(all).size).toBe(8);
    expect(all.at(-1)).toBe(f32(0.004));
    expect(rates(schedule, 0.004, 8, 0)[0]).toBe(f32(0.004));
    if (schedule !== "one-cycle") expect(rates(schedule, 0.004, 8, 0)).toEqual(rates(schedule, 0.004, 8));
  },
);
