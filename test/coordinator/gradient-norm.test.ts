import { beforeEach, expect, test } from "vitest";
import { clipGradient } from "../../src/coordinator/gradient-clipping.ts";
import { GradientNorm, isMeasured } from "../../src/coordinator/gradient-norm.ts";
import { type SliceName, SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { type Vector, VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

const memory = new VectorMemory();
let sums: Record<SliceName, Vector>;
let norm: GradientNorm;
beforeEach(() => {
  sums = {
    dense: memory.allocate(SLICES.dense.contributionLength),
    conv: memory.allocate(SLICES.conv.contributionLength),
  };
  for (const [i, slice] of SLICE_NAMES.entries()) {
    // Statistics, loss and correct count beside the gradient are large, and must not count.
    sums[slice].values.fill(1e6);
    sums[slice].values.set(randomVector(SLICES[slice].parameterLength, i + 1));
  }
  norm = new GradientNorm(memory);
});

test("is the norm that clipping takes, and leaves the gradient as it is", () => {
  const before = SLICE_NAMES.map((slice) => sums[slice].values.slice());
  for (const slice of SLICE_NAMES) norm.add(slice, sums[slice]);
  const measured = norm.take();
  for (const [i, slice] of SLICE_NAMES.entries()) expectSameBits(sums[slice].values, before[i]!);
  expect(measured! / clipGradient(sums, Infinity)).toBeCloseTo(1, 12);
});

test("is the same to the last bit, whenever and in whatever order slices are measured", () => {
  norm.add("dense", sums.dense);
  expect(norm.measure()).toBe(true);
  expect(norm.measure(), "there is nothing left to do").toBe(false);
  norm.add("conv", sums.conv);
  const first = norm.take();
  norm.add("conv", sums.conv);
  norm.add("dense", sums.dense);
  expect(norm.take()).toBe(first);
});

test("there is none where a slice is missing, and the next step begins anew", () => {
  norm.add("dense", sums.dense);
  expect(norm.take()).toBe(null);
  norm.add("conv", sums.conv);
  expect(norm.take()).toBe(null);
});

test("every tenth step is measured, and those that are logged", () => {
  const steps = Array.from({ length: 30 }, (_, i) => i + 1);
  expect(steps.filter((step) => isMeasured(step, 400))).toEqual([10, 20, 30]);
  expect(steps.filter((step) => isMeasured(step, 12))).toEqual([10, 12, 20, 24, 30]);
});
