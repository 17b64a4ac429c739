import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addOwner,
  type Board,
  deliver,
  isDelivered,
  judge,
  newBoard,
  owedPart,
  owedBy,
  owners,
  removeOwner,
  share,
  unowned,
} from "../../../src/shared/fleet/work-board.ts";

type Part = "dense" | "conv";
const PARTS: readonly Part[] = ["dense", "conv"];

/** Six items: A works on 0 to 2 and has delivered one part of 0 and 1, and all of 2; B works on 3; nobody on 4 and 5. */
function scene(): Board<Part> {
  let board = newBoard(6, PARTS);
  board = addOwner(board, [0, 1, 2], "A");
  board = addOwner(board, [3], "B");
  board = deliver(board, [0, 1, 2], "dense");
  return deliver(board, [2], "conv");
}

test("a new board has everything to be done, by nobody", () => {
  const board = newBoard(3, PARTS);
  expect(unowned(board)).toEqual([0, 1, 2]);
  expect(owners(board).size).toBe(0);
  expect(isDelivered(board, "dense")).toBe(false);
});

test("who owes what", () => {
  const board = scene();
  expect(unowned(board)).toEqual([4, 5]);
  expect(owedBy(board, "A")).toEqual([0, 1]);
  expect(owedBy(board, "B")).toEqual([3]);
  expect(owedBy(board, "C")).toEqual([]);
  expect([...owners(board)]).toEqual(["A", "B"]);
  expect(owedPart(board, "A", [0, 1, 2, 3, 9], "conv")).toEqual([0, 1]);
  expect(owedPart(board, "A", [0, 1, 2, 3, 9], "dense")).toEqual([]);
});

test("what was delivered stays so when the item changes hands", () => {
  const board = removeOwner(scene(), [0, 1], "A");
  expect(unowned(board)).toEqual([0, 1, 4, 5]);
  expect(judge(addOwner(board, [0], "B"), "B", [0], "dense")).toBe("duplicate");
  expect(judge(addOwner(board, [0], "B"), "B", [0], "conv")).toBe("owed");
});

test("a part is delivered when no item misses it", () => {
  const board = deliver(scene(), [3, 4, 5], "dense");
  expect(isDelivered(board, "dense")).toBe(true);
  expect(isDelivered(board, "conv")).toBe(false);
  expect(isDelivered(deliver(board, [0, 1, 3, 4, 5], "conv"), "conv")).toBe(true);
});

test("functions leave the board that they are given as it is", () => {
  const board = scene();
  const before = structuredClone(board);
  deliver(addOwner(board, [0, 3], "C"), [0, 1, 2, 3, 4, 5], "conv");
  share(board, [0, 1, 4], [1, 1]);
  expect(board).toEqual(before);
});

describe("judge", () => {
  test.each<[string, string, number[], Part, string]>([
    ["all of what is owed", "A", [0, 1], "conv", "owed"],
    ["some of what is owed", "A", [1], "conv", "owed"],
    ["what was delivered", "A", [0, 1], "dense", "duplicate"],
    ["what was delivered in part", "A", [0, 1, 2], "conv", "duplicate"],
    ["what another owes", "A", [3], "conv", "not-owed"],
    ["its own and another's", "A", [0, 3], "conv", "not-owed"],
    ["what was delivered and another's", "A", [2, 3], "conv", "not-owed"],
    ["what nobody owes", "A", [4], "dense", "not-owed"],
    ["what does not exist", "A", [0, 6], "conv", "not-owed"],
    ["the same item twice", "A", [0, 0], "conv", "not-owed"],
    ["by a stranger, what was delivered", "C", [2], "conv", "duplicate"],
    ["by a stranger, what is owed", "C", [0], "conv", "not-owed"],
  ])("%s", (_, peer, items, part, verdict) => {
    expect(judge(scene(), peer, items, part)).toBe(verdict);
  });
});

/** What a shard costs workers that are all as fast. */
const equal = (workers: number): number[] => Array.from({ length: workers }, () => 7);

describe("share", () => {
  const board = (count: number) => newBoard(count, PARTS);

  test.each([
    {
      items: 8,
      takers: 2,
      runs: [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ],
    },
    { items: 5, takers: 3, runs: [[0, 1], [2, 3], [4]] },
    { items: 2, takers: 3, runs: [[0], [1], []] },
    { items: 4, takers: 1, runs: [[0, 1, 2, 3]] },
  ])("cuts $items items into $takers runs", ({ items, takers, runs }) => {
    const all = Array.from({ length: items }, (_, i) => i);
    expect(share(board(items), all, equal(takers))).toEqual(runs);
  });

  test("keeps apart what misses different parts", () => {
    expect(share(scene(), [0, 1, 4, 5], equal(1))).toEqual([
      [0, 1],
      [4, 5],
    ]);
  });

  test("gives out every item once, in order, in runs that differ by one at most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 12 }), (count, takers) => {
        const all = Array.from({ length: count }, (_, i) => i);
        const runs = share(board(count), all, equal(takers));
        expect(runs).toHaveLength(takers);
        expect(runs.flat()).toEqual(all);
        const sizes = runs.map((run) => run.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
