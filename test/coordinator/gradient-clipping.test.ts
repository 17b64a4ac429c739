import { beforeEach, describe, expect, test } from "vitest";
import { clipGradient } from "../../src/coordinator/gradient-clipping.ts";
import { SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

const memory = new VectorMemory();
const sums = {
  dense: memory.allocate(SLICES.dense.contributionLength),
  conv: memory.allocate(SLICES.conv.contributionLength),
};
beforeEach(() => {
  for (const slice of SLICE_NAMES) sums[slice].values.fill(0);
});

/** The first and last value of each slice's gradient. */
const ENDS = SLICE_NAMES.flatMap((slice) => [[slice, 0] as const, [slice, SLICES[slice].parameterLength - 1] as const]);

describe("by hand: a gradient of 1, 2, 2 and 4 has norm 5", () => {
  beforeEach(() => {
    for (const [i, [slice, index]] of ENDS.entries()) sums[slice].values[index] = [1, 2, 2, 4][i]!;
  });
  const values = () => ENDS.map(([slice, index]) => sums[slice].values[index]);

  test("and is scaled down to a smaller one, as by PyTorch's clip_grad_norm_", () => {
    expect(clipGradient(sums, 1)).toBe(5);
    const factor = 1 / (5 + 1e-6);
    expect(values()).toEqual([factor, 2 * factor, 2 * factor, 4 * factor].map(Math.fround));
    expect(clipGradient(sums, 1)).toBeCloseTo(1, 6);
  });

  test.each([5.00001, 6, 1e6])("and stays as it is with a limit of %d", (maxNorm) => {
    expect(clipGradient(sums, maxNorm)).toBe(5);
    expect(values()).toEqual([1, 2, 2, 4]);
  });

  test("whatever statistics, loss and correct count stand beside it, which stay", () => {
    const rest = sums.dense.values.subarray(SLICES.dense.parameterLength);
    rest.fill(1e30);
    expect(clipGradient(sums, 1)).toBe(5);
    expect(rest.every((value) => value === Math.fround(1e30))).toBe(true);
  });
});

test("adds the squares in the order of the parameters, in double precision", () => {
  const gradient = randomVector(SLICES.conv.parameterLength + SLICES.dense.parameterLength, 3);
  sums.conv.values.set(gradient.subarray(0, SLICES.conv.parameterLength));
  sums.dense.values.set(gradient.subarray(SLICES.conv.parameterLength));
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
  expect(clipGradient(sums, norm / 3)).toBe(norm);
  const factor = norm / 3 / (norm + 1e-6);
  expectSameBits(
    Float32Array.from([...sums.conv.values, ...sums.dense.values.subarray(0, SLICES.dense.parameterLength)]),
    gradient.map((value) => value * factor),
  );
});

test("leaves a gradient of zeros as it is, and takes the largest numbers that there are", () => {
  expect(clipGradient(sums, 1)).toBe(0);
  const largest = 3.4028234663852886e38;
  sums.conv.values.fill(largest);
  expect(clipGradient(sums, 1)).toBeCloseTo(largest * Math.sqrt(SLICES.conv.parameterLength), -30);
  expect(sums.conv.values[0]).toBeCloseTo(1 / Math.sqrt(SLICES.conv.parameterLength), 6);
});
