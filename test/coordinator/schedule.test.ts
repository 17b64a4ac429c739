import { describe, expect, test } from "vitest";
import { learningRate } from "../../src/coordinator/schedule.ts";

// prettier-ignore
const ONE_CYCLE_20 = [0.00015999999999999999, 0.0020800000000000003, 0.004, 0.003965946335583006, 0.0038649449990308758, 0.0037004354697221424, 0.00347801992236998, 0.0032052724516814218, 0.0028914811456462303, 0.002547331790840245, 0.002184543980779728, 0.001815472019220272, 0.001452684209159755, 0.0011085348543537698, 0.0007947435483185785, 0.0005219960776300199, 0.00029958053027785784, 0.00013507100096912382, 3.40696644169939e-05, 1.6e-08];

const f32 = Math.fround;

function rates(schedule: "constant" | "cosine" | "one-cycle", lr: number, totalSteps: number): number[] {
  return Array.from({ length: totalSteps }, (_, step) => learningRate({ schedule, lr }, step, totalSteps));
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
