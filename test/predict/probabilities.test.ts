import { expect, test } from "vitest";
import { probabilitiesOf, ranked } from "../../src/predict/probabilities.ts";

test("probabilities are in the ratio of the logits' powers, and add up to 1", () => {
  const found = probabilitiesOf(Float32Array.of(Math.log(2), 0, Math.log(5)));
  expect([...found].map((value) => Number(value.toFixed(6)))).toEqual([0.25, 0.125, 0.625]);
});

test("logits of any size do not overflow", () => {
  expect([...probabilitiesOf(Float32Array.of(1e30, 0, -1e30))]).toEqual([1, 0, 0]);
});

test("of equal classes the first one is ranked first", () => {
  expect(ranked(Float64Array.of(0.1, 0.4, 0.1, 0.4))).toEqual([1, 3, 0, 2]);
});
