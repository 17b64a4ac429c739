import { describe, expect, test } from "vitest";
import type { TaskTimes } from "../../src/coordinator/step-clock.ts";
import { WorkerTimeline } from "../../src/coordinator/worker-timeline.ts";

/** Times in ms; `spent` comes in microseconds. */
function task(times: Partial<Omit<TaskTimes, "spent">>, spent: Partial<TaskTimes["spent"]> = {}): TaskTimes {
  const inMicros = Object.entries({ wait: 0, gather: 0, compute: 10, held: 10, ...spent }).map(([key, ms]) => [
    key,
    ms * 1000,
  ]);
  return {
    ...{ worker: "w", neededAt: 100, receivedAt: 120, beganBy: 110, ...times },
    spent: Object.fromEntries(inMicros) as TaskTimes["spent"],
  };
}

const rows = (timeline: WorkerTimeline, times: TaskTimes) =>
  timeline.place(times).map(({ phase, startMs, endMs }) => [phase, startMs, endMs]);

describe("a task", () => {
  test("lies in the middle of what is possible", () => {
    expect(rows(new WorkerTimeline(0), task({ neededAt: 100, beganBy: 106, receivedAt: 116 }))).toEqual([
      ["compute", 103, 113],
      ["wire", 100, 103],
      ["wire", 113, 116],
    ]);
  });

  test("has its pause before it, with inputs made ahead first", () => {
    const spent = { wait: 4, gather: 5, compute: 8, held: 10 };
    expect(rows(new WorkerTimeline(0), task({ neededAt: 100, beganBy: 102, receivedAt: 112 }, spent))).toEqual([
      ["gather", 94, 97],
      ["wait", 97, 101],
      ["gather", 101, 103],
      ["compute", 103, 111],
      ["wire", 100, 101],
      ["wire", 111, 112],
    ]);
  });

  test("does not begin before the one before it has ended, nor does its pause", () => {
    const timeline = new WorkerTimeline(0);
    timeline.place(task({ neededAt: 100, beganBy: 106, receivedAt: 116 }));
    expect(rows(timeline, task({ neededAt: 112, beganBy: 118, receivedAt: 130 }, { wait: 40 }))).toEqual([
      ["wait", 113, 115.5],
      ["compute", 115.5, 125.5],
      ["wire", 112, 115.5],
      ["wire", 125.5, 130],
    ]);
  });

  test("is drawn no earlier than the trace begins", () => {
    const spans = new WorkerTimeline(95).place(task({ neededAt: 100, beganBy: 102, receivedAt: 112 }, { wait: 5_000 }));
    expect(Math.min(...spans.map(({ startMs }) => startMs))).toBe(95);
  });
});

test("whatever a worker claims, its own spans follow each other and end when its result came", () => {
  const timeline = new WorkerTimeline(0);
  let freeFrom = 0;
  for (let i = 0; i < 500; i++) {
    const at = i * 10;
    const odd = (salt: number): number => ((i * 7919 + salt * 104_729) % 97) / 4;
    const held = odd(1);
    const times = task(
      { neededAt: at + odd(2) / 4, receivedAt: at + 9, beganBy: at + 9 - held },
      { wait: odd(3), gather: odd(4), compute: odd(5), held },
    );
    for (const { phase, startMs, endMs } of timeline.place(times)) {
      expect(endMs).toBeLessThanOrEqual(at + 9);
      expect(endMs).toBeGreaterThan(startMs);
      if (phase === "wire") continue;
      expect(startMs).toBeGreaterThanOrEqual(freeFrom);
      freeFrom = endMs;
    }
  }
});
