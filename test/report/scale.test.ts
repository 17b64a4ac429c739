import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linearScale, logarithmicScale } from "../../src/report/scale.ts";

describe("a linear scale", () => {
  test.each([
    [0, 10, [0, 2, 4, 6, 8, 10]],
    [0, 0.3, [0, 0.1, 0.2, 0.3]],
    [0.951, 0.994, [0.96, 0.97, 0.98, 0.99]],
    [-3, 3, [-2, 0, 2]],
  ])("from %d to %d names %j", (low, high, ticks) => {
    expect(linearScale(low, high).ticks).toEqual(ticks);
  });

  test("has some ticks, all of them on the axis, whatever the values", () => {
    const value = fc.double({ min: -1e4, max: 1e4, noNaN: true });
    fc.assert(
      fc.property(value, fc.double({ min: 1e-4, max: 1e9, noNaN: true }), (low, span) => {
        const { ticks, place } = linearScale(low, low + span);
        expect(ticks.length).toBeLessThan(12);
        for (const tick of ticks) {
          expect(place(tick)).toBeGreaterThan(-0.01);
          expect(place(tick)).toBeLessThan(1.01);
        }
      }),
    );
  });
});

describe("a logarithmic scale", () => {
  test.each([
    [0.0021, 2.3, [0.001, 0.01, 0.1, 1, 10]],
    [0.03, 0.2, [0.02, 0.05, 0.1, 0.2]],
    [0.1, 0.1, [0.1, 0.2]],
  ])("from %d to %d names %j, and ends at the outer ones", (low, high, expected) => {
    const { ticks, place } = logarithmicScale(low, high);
    expect(ticks).toEqual(expected);
    expect([place(ticks[0]!), place(ticks.at(-1)!)]).toEqual([0, 1]);
    expect(place(low)).toBeGreaterThanOrEqual(0);
    expect(place(high)).toBeLessThanOrEqual(1);
  });
});
