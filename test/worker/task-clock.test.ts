import { beforeEach, expect, test } from "vitest";
import { TaskClock } from "../../src/worker/task-clock.ts";

let now: number;
let clock: TaskClock;
const pass = (ms: number): void => void (now += ms);

beforeEach(() => {
  now = 100;
  clock = new TaskClock({ now: () => now, every: () => () => {} });
});

test("a task's time is what was waited, gathered and computed", () => {
  pass(7);
  clock.begin();
  clock.gather(() => pass(1));
  pass(3);
  clock.gather(() => pass(2));
  pass(0.25);
  expect(clock.spent()).toEqual({ wait: 7_000, gather: 3_000, compute: 3_250, held: 6_250 });
  pass(1);
  expect(clock.spent()).toEqual({ wait: 7_000, gather: 3_000, compute: 4_250, held: 7_250 });
});

test("what is gathered ahead is no waiting, and not part of what the task holds up", () => {
  clock.begin();
  pass(5);
  clock.end();
  pass(1);
  clock.gatherAhead(() => pass(2));
  pass(4);
  clock.begin();
  pass(3);
  expect(clock.spent()).toEqual({ wait: 5_000, gather: 2_000, compute: 3_000, held: 3_000 });
});

test("each task counts anew", () => {
  clock.begin();
  clock.gather(() => pass(9));
  clock.end();
  pass(1);
  clock.begin();
  pass(2);
  expect(clock.spent()).toEqual({ wait: 1_000, gather: 0, compute: 2_000, held: 2_000 });
});

test("times have room in a message, whatever they are", () => {
  pass(1e9);
  clock.begin();
  pass(1e9);
  expect(clock.spent()).toEqual({ wait: 2 ** 32 - 1, gather: 0, compute: 2 ** 32 - 1, held: 2 ** 32 - 1 });
});

test("messages are looked at between shards, but not more often than every few milliseconds", async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  clock.begin();
  for (let shard = 0; shard < 10; shard++) {
    pass(1.3);
    const before = turns;
    await clock.lookUp();
    // 5.2 ms after the task began, and again after that.
    expect(turns > before, `after shard ${shard}`).toBe(shard % 4 === 3);
  }
  clearImmediate(immediate);
});
