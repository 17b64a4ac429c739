import { expect, test } from "vitest";
import { quantile, smoothed } from "../../../../src/coordinator/live/page/smoothing.ts";

test("nothing is smoothed with a weight of 0", () => {
  expect(smoothed([3, null, 5], 0)).toEqual([3, null, 5]);
});

test("a constant stays itself from its first value on, and gaps stay gaps", () => {
  const values = smoothed([2, 2, null, 2], 0.99);
  expect(values.map((value) => (value === null ? null : Number(value.toFixed(12))))).toEqual([2, 2, null, 2]);
});

test("is the mean with exponentially falling weights", () => {
  // (1 * 0.25 + 2 * 0.5 + 4) / (0.25 + 0.5 + 1)
  expect(smoothed([1, 2, 4], 0.5)[2]).toBeCloseTo(3, 12);
});

test.each([
  [[5, 1, null, 3, 2, 4], 0, 1],
  [[5, 1, null, 3, 2, 4], 0.5, 3],
  [[5, 1, null, 3, 2, 4], 1, 5],
  [[null], 0.5, undefined],
])("the quantile of %j at %f is %s", (values, share, expected) => {
  expect(quantile(values, share)).toBe(expected);
});
