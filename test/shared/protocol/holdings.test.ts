import { expect, test } from "vitest";
import { COPIES, copyOf, heldAt, holding, NOTHING_HELD } from "../../../src/shared/protocol/holdings.ts";

test("the latest even, the latest odd and the latest averaged version are held, of each slice", () => {
  let held = NOTHING_HELD;
  for (const version of [0, 1, 2]) held = holding(held, "dense", version, false);
  held = holding(held, "dense", 1, true);
  expect([0, 1, 2, 3].map((version) => heldAt(held, "dense", version, false))).toEqual([2, 1, 2, 1]);
  expect([0, 1].map((version) => heldAt(held, "dense", version, true))).toEqual([1, 1]);
  expect(heldAt(held, "conv", 0, false)).toBe(-1);
  expect(heldAt(NOTHING_HELD, "dense", 0, false)).toBe(-1);
});

test("each copy has its place", () => {
  expect(new Set([copyOf(4, false), copyOf(7, false), copyOf(4, true)]).size).toBe(COPIES);
  expect(copyOf(7, true)).toBe(copyOf(4, true));
});
