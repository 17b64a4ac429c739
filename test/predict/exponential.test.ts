import { expect, test } from "vitest";
import { exponential } from "../../src/predict/exponential.ts";

test("is exact where nothing is to be rounded", () => {
  expect([0, -0, -746, -1e30, -Infinity].map(exponential)).toEqual([1, 1, 0, 0, 0]);
});

test("is Math.exp within a unit or two in the last place", () => {
  for (let i = 0; i <= 100_000; i++) {
    const x = -700 * (i / 100_000) ** 3;
    const error = Math.abs(exponential(x) / Math.exp(x) - 1);
    if (error > 4.5e-16) expect.fail(`exponential(${x}) is off by ${error}`);
  }
});

test("has the bits that every machine must get", () => {
  expect([-0.1, -0.5, -1, -5.25, -20, -300].map(exponential)).toEqual([
    0.9048374180359595, 0.6065306597126334, 0.36787944117144233, 0.005247518399181384, 2.061153622438558e-9,
    5.148200222412013e-131,
  ]);
});
