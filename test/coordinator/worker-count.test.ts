import { describe, expect, test } from "vitest";
import { WorkerCountTrial } from "../../src/coordinator/worker-count.ts";

/** Tries until there is an outcome, with steps that take as long as `stepMs` says. */
function tryCounts(most: number, stepMs: (workers: number, step: number) => number) {
  const trial = new WorkerCountTrial(most);
  const used: number[] = [];
  for (let step = 0; step < 10_000; step++) {
    const { outcome, next } = trial;
    if (outcome !== undefined) return { ...outcome, used };
    used.push(next);
    trial.record(stepMs(next, step));
  }
  return expect.fail("the trial never ends");
}

test("a trial in the midst of a run needs no warm-up", () => {
  const trial = new WorkerCountTrial(2, { warm: true });
  for (let step = 0; step < 180; step++) {
    expect(trial.outcome).toBeUndefined();
    trial.record(trial.next);
  }
  expect(trial.outcome?.chosen.workers).toBe(1);
});

test("all workers warm up, then each count has its turns", () => {
  const { used, tried } = tryCounts(6, (workers) => workers);
  expect(new Set(used.slice(0, 200))).toEqual(new Set([6]));
  const turns = used.slice(200).filter((workers, i, all) => workers !== all[i - 1]);
  expect(turns).toEqual([6, 3, 2, 1, 6, 3, 2, 1, 6, 3, 2, 1]);
  expect(tried.map(({ workers }) => workers)).toEqual([6, 3, 2, 1]);
});

describe("the fastest is chosen", () => {
  test.each<[string, number, Record<number, number>, number]>([
    ["all, where each helps", 4, { 4: 1, 2: 2, 1: 4 }, 4],
    ["one, where the others cost more than they bring", 2, { 2: 3, 1: 2.6 }, 1],
    ["some, where the last ones are in the way", 8, { 8: 2, 4: 1.5, 2: 2, 1: 4 }, 4],
    ["all, where fewer are hardly faster", 2, { 2: 1.05, 1: 1 }, 2],
    ["some, where one alone is hardly faster", 4, { 4: 3, 2: 2, 1: 1.9 }, 2],
    ["the only one there is", 1, { 1: 5 }, 1],
  ])("%s", (_, most, times, expected) => {
    const { chosen, tried } = tryCounts(most, (workers) => times[workers]!);
    expect(chosen.workers).toBe(expected);
    expect(tried).toEqual(
      Object.entries(times)
        .map(([workers, stepMs]) => ({ workers: Number(workers), stepMs }))
        .toReversed(),
    );
  });

  test("whatever the warm-up, the first steps of a turn and a few slow steps take", () => {
    let last = 0;
    let since = 0;
    const { chosen } = tryCounts(2, (workers, step) => {
      since = workers === last ? since + 1 : 0;
      last = workers;
      if (step < 200 || since < 5 || step % 7 === 0) return 100;
      return workers === 2 ? 1 : 2;
    });
    expect(chosen).toEqual({ workers: 2, stepMs: 1 });
  });
});
