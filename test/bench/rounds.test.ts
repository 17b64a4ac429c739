import { expect, test } from "vitest";
import { takeTurns } from "../../src/bench/rounds.ts";

test("candidates take turns, and warm-ups do not count", async () => {
  const order: string[] = [];
  const candidate = (name: string) => {
    let calls = 0;
    return {
      measure: () => {
        order.push(name);
        calls += 1;
        return calls;
      },
    };
  };
  const figures = await takeTurns([candidate("a"), candidate("b")], { rounds: 2, warmUps: 1 });
  expect(order).toEqual(["a", "b", "a", "b", "a", "b"]);
  expect(figures).toEqual([
    [2, 3],
    [2, 3],
  ]);
});

test("what goes wrong in a candidate ends the rounds", async () => {
  const broken = { measure: () => Promise.reject(new Error("it has died")) };
  await expect(takeTurns([broken], { rounds: 3, warmUps: 0 })).rejects.toThrow("it has died");
});
