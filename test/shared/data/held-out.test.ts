import fc from "fast-check";
import { expect, test } from "vitest";
import { holdOut } from "../../../src/shared/data/held-out.ts";

test("every image is either held out or trained on, in ascending order", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.integer({ min: 2, max: 300 }), fc.nat(), (seed, available, some) => {
      const count = 1 + (some % (available - 1));
      const { validation, training } = holdOut(seed, available, count);
      expect(validation).toHaveLength(count);
      for (const part of [validation, training!]) expect(part).toEqual(part.toSorted());
      expect([...validation, ...training!].sort((a, b) => a - b)).toEqual([
        ...Array.from({ length: available }).keys(),
      ]);
    }),
  );
});

test("where none is held out, nothing is chosen", () => {
  expect(holdOut(1, 60_000, 0)).toEqual({ validation: new Uint32Array(0), training: undefined });
});

test("the seed decides, to the same choice on every machine", () => {
  expect([...holdOut(1, 100, 5).validation]).toMatchInlineSnapshot(`
    [
      22,
      31,
      44,
      94,
      97,
    ]
  `);
  expect([...holdOut(2, 100, 5).validation]).toMatchInlineSnapshot(`
    [
      9,
      25,
      65,
      66,
      81,
    ]
  `);
});

test("images are chosen evenly from the whole set, as a file may be sorted by class", () => {
  const tenths = new Uint32Array(10);
  for (const index of holdOut(3, 60_000, 6_000).validation) tenths[Math.floor(index / 6_000)]! += 1;
  // 600 each on average, with a standard deviation of 22.
  for (const count of tenths) expect(Math.abs(count - 600)).toBeLessThan(110);
});
