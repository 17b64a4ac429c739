import fc from "fast-check";
import { expect, test } from "vitest";
import { Downsampled } from "../../../src/coordinator/live/downsampled.ts";

interface Sum {
  readonly last: number;
  readonly count: number;
}

const merge = (earlier: Sum, later: Sum): Sum => ({ last: later.last, count: earlier.count + later.count });

function curveOf(places: Iterable<number>, limit: number): Downsampled<Sum> {
  const curve = new Downsampled({ limit, merge });
  for (const last of places) curve.add(last, { last, count: 1 });
  return curve;
}

test("a million places fit into the limit, and nothing is lost", () => {
  const curve = curveOf(
    Array.from({ length: 1_000_000 }, (_, place) => place),
    2_000,
  );
  expect(curve.points.length).toBeLessThanOrEqual(2_000);
  expect(curve.points.length).toBeGreaterThan(900);
  expect(curve.points.reduce((sum, { count }) => sum + count, 0)).toBe(1_000_000);
  expect(curve.stride).toBe(512);
  expect(curve.points.slice(0, 2)).toEqual([
    { last: 511, count: 512 },
    { last: 1_023, count: 512 },
  ]);
});

test("points are those of the stride alone, whatever came when", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(30), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 2, max: 20 }),
      (gaps, limit) => {
        let at = 0;
        const places = gaps.map((gap) => (at += gap));
        const curve = curveOf(places, limit);
        const expected = new Map<number, Sum>();
        for (const last of places) {
          const bucket = Math.floor(last / curve.stride);
          expected.set(bucket, { last, count: (expected.get(bucket)?.count ?? 0) + 1 });
        }
        expect(curve.points).toEqual([...expected.values()]);
        expect(curve.points.length).toBeLessThanOrEqual(limit);
      },
    ),
  );
});
