import { expect, test } from "vitest";
import { spread } from "../../src/compare/statistics.ts";

test("the standard deviation is that of a sample", () => {
  const found = spread([2, 4, 4, 4, 5, 5, 7, 9]);
  expect(found).toMatchObject({ n: 8, mean: 5, min: 2, max: 9 });
  expect(found?.sd).toBeCloseTo(Math.sqrt(32 / 7), 12);
});

test("a single figure has none, and no figures come to nothing", () => {
  expect(spread([3, null, NaN])).toEqual({ n: 1, mean: 3, sd: null, min: 3, max: 3 });
  expect(spread([null])).toBeUndefined();
});

test("figures that are close together keep their digits", () => {
  expect(spread([1e9 + 1, 1e9 + 2, 1e9 + 3])?.sd).toBe(1);
});
