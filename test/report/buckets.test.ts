import { expect, test } from "vitest";
import { Buckets } from "../../src/report/buckets.ts";

test("keeps single values as they are", () => {
  const buckets = new Buckets(10, 10);
  for (const x of [1, 2, 10]) buckets.add(x, x * x);
  expect(buckets.points()).toEqual([
    { x: 1, y: 1 },
    { x: 2, y: 4 },
    { x: 10, y: 100 },
  ]);
});

test("sums up many as their mean, with the least and the most", () => {
  const buckets = new Buckets(1000, 2);
  for (let x = 1; x <= 1000; x++) buckets.add(x, x % 2 === 0 ? 1 : 3);
  expect(buckets.points()).toEqual([
    { x: expect.closeTo(250.5), y: expect.closeTo(2), low: 1, high: 3 },
    { x: expect.closeTo(750.5), y: expect.closeTo(2), low: 1, high: 3 },
  ]);
});

test("leaves out what is not finite", () => {
  const buckets = new Buckets(10);
  buckets.add(1, NaN);
  buckets.add(Infinity, 1);
  expect(buckets.points()).toEqual([]);
});
