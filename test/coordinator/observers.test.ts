import { expect, test } from "vitest";
import { Observers } from "../../src/coordinator/observers.ts";
import type { TrainingEvent } from "../../src/shared/events.ts";

const rejected: TrainingEvent = { type: "rejected", reason: "stale" };

test("one that fails is told no more, the others go on, and it is said once", () => {
  const [failures, told]: [string[], TrainingEvent[]] = [[], []];
  const observers = new Observers((message) => {
    failures.push(message);
    // It becomes an event, which all that are left are told.
    observers.tell({ type: "warning", message });
  });
  let calls = 0;
  observers.add("the page", {
    record: () => {
      calls += 1;
      throw new Error("no such worker");
    },
  });
  observers.add("the log", { record: (event) => told.push(event) });
  for (let i = 0; i < 3; i++) observers.tell(rejected);
  expect(calls).toBe(1);
  expect(failures).toEqual([
    "the page failed, and does without the rest of this run: no such worker; please report this",
  ]);
  expect(told.map(({ type }) => type)).toEqual(["warning", "rejected", "rejected", "rejected"]);
});

test("all are closed, whatever becomes of one", async () => {
  const failures: string[] = [];
  const closed: string[] = [];
  await new Observers((message) => failures.push(message)).close([
    ["a", () => Promise.reject(new Error("EIO"))],
    ["b", () => closed.push("b")],
    [
      "c",
      () => {
        throw new Error("gone");
      },
    ],
    ["d", async () => closed.push("d")],
  ]);
  expect(closed).toEqual(["b", "d"]);
  expect(failures.map((message) => message.split(",")[0])).toEqual(["a failed", "c failed"]);
});
