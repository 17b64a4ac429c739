import { beforeEach, describe, expect, test } from "vitest";
import { tickEvery } from "../../src/shared/clock.ts";
import { FakeTime } from "./fake-clock.ts";

describe("a made-up time", () => {
  let time: FakeTime;
  let told: string[];
  beforeEach(() => {
    [time, told] = [new FakeTime(), []];
  });

  const note = (what: string) => () => void told.push(`${what} at ${time.now}`);

  test("passes from timer to timer, in order, and those that are due together in the order in which they were set", () => {
    const clock = time.clock();
    clock.every(100, note("a"));
    clock.after(100, note("b"));
    clock.after(30, note("c"));
    for (let i = 0; i < 4; i++) expect(time.advance()).toBe(true);
    expect(told).toEqual(["c at 30", "a at 100", "b at 100", "a at 200"]);
    expect(time.timers).toBe(1);
  });

  test("has clocks that show something else and go alike", () => {
    const [one, other] = [time.clock(), time.clock(5_000)];
    one.after(7, () => {});
    time.advance();
    expect([one.now(), other.now()]).toEqual([7, 5_007]);
  });

  test("stands still when no timer is set, or is set no more", () => {
    time.clock().every(10, note("a"))();
    expect([time.advance(), time.now, told]).toEqual([false, 0, []]);
  });

  test("a frozen clock's timers wait, and come late once it is not: the process finds out for how long it was stopped", () => {
    const clock = time.clock();
    const stopped: number[] = [];
    tickEvery(clock, 100, (stoppedMs) => stopped.push(stoppedMs));
    time.advance();
    clock.frozen = true;
    time.clock().after(5_000, () => (clock.frozen = false));
    for (let i = 0; i < 3; i++) time.advance();
    expect([stopped, time.now]).toEqual([[0, 4_900, 0], 5_200]);
  });

  test("a stopped clock never calls anyone again", async () => {
    const clock = time.clock();
    clock.every(10, note("a"));
    void clock.sleep(10).then(note("b"));
    clock.stop();
    time.clock().after(50, note("c"));
    while (time.advance());
    await Promise.resolve();
    expect(told).toEqual(["c at 50"]);
  });
});
