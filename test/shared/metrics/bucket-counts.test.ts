import fc from "fast-check";
import { expect, test } from "vitest";
import { BucketCounts } from "../../../src/shared/metrics/bucket-counts.ts";

test("a value counts up to the first bound that it does not exceed", () => {
  const counts = new BucketCounts([1, 2, 5]);
  for (const value of [0, 1, 1.5, 2, 4, 6, Infinity]) counts.observe(value);
  expect(counts.cumulative()).toEqual([2, 4, 5]);
  expect(counts.count).toBe(7);
});

test("what is counted is what was observed, whatever it is", () => {
  const bounds = [0.001, 0.01, 0.1, 1];
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true })), (values) => {
      const counts = new BucketCounts(bounds);
      for (const value of values) counts.observe(value);
      expect(counts.cumulative()).toEqual(bounds.map((bound) => values.filter((value) => value <= bound).length));
      expect(counts.count).toBe(values.length);
      expect(counts.sum).toBeCloseTo(
        values.reduce((sum, value) => sum + value, 0),
        9,
      );
    }),
  );
});
