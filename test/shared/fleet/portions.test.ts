import fc from "fast-check";
import { expect, test } from "vitest";
import { portions } from "../../../src/shared/fleet/portions.ts";

test.each([
  { count: 2, costs: [1, 1], shares: [1, 1], why: "alike" },
  { count: 2, costs: [1, 1.9], shares: [1, 1], why: "one each is still the fastest" },
  { count: 2, costs: [1, 2.5], shares: [2, 0], why: "two of the fast one's take less time than one of the slow one's" },
  { count: 12, costs: [1, 3], shares: [9, 3], why: "in proportion" },
  { count: 64, costs: [1, 1.05], shares: [32, 32], why: "a small difference may be noise" },
  { count: 3, costs: [5, 5, 5, 5], shares: [1, 1, 1, 0], why: "more workers than items" },
  { count: 4, costs: [7], shares: [4], why: "alone" },
])("$count items at $costs: $shares, $why", ({ count, costs, shares }) => {
  expect(portions(count, costs)).toEqual(shares);
});

test("nothing is left over, and nobody is kept longer than with equal shares", () => {
  const costs = fc.array(fc.double({ min: 0.01, max: 1_000, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2_048 }), costs, (count, each) => {
      const shares = portions(count, each);
      expect(shares).toHaveLength(each.length);
      expect(shares.every((share) => Number.isInteger(share) && share >= 0)).toBe(true);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(count);
      const slowest = Math.max(...shares.map((share, i) => share * each[i]!));
      expect(slowest).toBeLessThanOrEqual(Math.ceil(count / each.length) * Math.max(...each));
    }),
  );
});
