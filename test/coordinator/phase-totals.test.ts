import { expect, test } from "vitest";
import { GONE, OTHER, PhaseTotals } from "../../src/coordinator/phase-totals.ts";
import type { WorkerPhases } from "../../src/shared/events.ts";
import { workerPhases } from "./training-events.ts";

const BUSY = { decideMs: 1, reduceMs: 2, adamMs: 3, sendMs: 4, tailMs: 5 };
const phasesOf = (...workers: readonly Partial<WorkerPhases>[]) => ({
  workers: workers.map(workerPhases),
  coordinator: BUSY,
});

test("adds up by worker and phase", () => {
  const totals = new PhaseTotals();
  totals.add(phasesOf({ worker: "a", waitMs: 1, gatherMs: 2, computeMs: 3, wireMs: 4 }, { worker: "b", computeMs: 7 }));
  totals.add(phasesOf({ worker: "a", waitMs: 10, gatherMs: 20, computeMs: 30, wireMs: 40 }));
  expect(totals.workers.get("a")).toEqual({ wait: 11, gather: 22, compute: 33, wire: 44 });
  expect(totals.workers.get("b")).toMatchObject({ compute: 7 });
  expect(totals.coordinator).toEqual({ decide: 2, reduce: 4, adam: 6, send: 8 });
});

test("those that left long ago become one, and nothing is lost", () => {
  const totals = new PhaseTotals();
  for (let i = 1; i <= 100; i++) {
    totals.add(phasesOf({ worker: `w${i}`, waitMs: 0, gatherMs: 0, computeMs: 1, wireMs: 0 }));
    totals.departed(`w${i}`);
  }
  expect([...totals.workers.keys()].toSorted()).toEqual(
    [GONE, ...Array.from({ length: 16 }, (_, i) => `w${85 + i}`)].toSorted(),
  );
  expect(totals.workers.get(GONE)).toEqual({ wait: 0, gather: 0, compute: 84, wire: 0 });
  expect([...totals.shards.keys()].toSorted()).toEqual([...totals.workers.keys()].toSorted());
  expect(totals.shards.get(GONE)).toBe(84);
});

test("a worker that left before it did anything is no name, and one that left may count once more", () => {
  const totals = new PhaseTotals();
  totals.departed("idle");
  totals.departed("lost");
  totals.add(phasesOf({ worker: "lost", computeMs: 5 }));
  expect([...totals.workers.keys()]).toEqual(["lost"]);
});

test("names stay bounded whoever comes, and those that are too many share one that no departure adds to", () => {
  const totals = new PhaseTotals();
  for (let i = 1; i <= 10_000; i++) totals.add(phasesOf({ worker: `w${i}`, computeMs: 1 }));
  expect(totals.workers.size).toBe(513);
  expect(totals.workers.get(OTHER)).toMatchObject({ compute: 10_000 - 512 });
  expect(totals.workers.has(GONE)).toBe(false);
  for (let i = 1; i <= 10_000; i++) totals.departed(`w${i}`);
  expect([...totals.workers.keys()].toSorted()).toEqual([GONE, OTHER]);
  expect(totals.workers.get(OTHER)).toMatchObject({ compute: 10_000 - 512 });
  expect(totals.workers.get(GONE)).toMatchObject({ compute: 512 });
});
