import { describe, expect, test } from "vitest";
import { RunLog, type RunLogOptions } from "../../../src/coordinator/log/run-log.ts";
import { LockstepError } from "../../../src/shared/errors.ts";
import type { TrainingEvent } from "../../../src/shared/events.ts";
import { Log } from "../../../src/shared/log/log.ts";
import { COORDINATOR_EVENTS } from "../../../src/shared/log/vocabulary.ts";
import { epoch, finished, resumed, started, step, workerLeft } from "../training-events.ts";

type Line = Record<string, unknown>;

function setUp(options: Partial<RunLogOptions> = {}) {
  const clock = { ms: 0 };
  const lines: Line[] = [];
  const log = new RunLog({
    log: new Log({ write: (line) => lines.push(JSON.parse(line) as Line) }),
    ...{ workersByHand: false, logEvery: 400, now: () => clock.ms },
    ...options,
  });
  const tell = (...events: TrainingEvent[]): Line[] => {
    for (const event of events) log.record(event);
    return lines.splice(0);
  };
  return { log, lines, clock, tell };
}

const joined = (worker: string, pid: number): TrainingEvent => {
  return { type: "worker-joined", worker, pid, engine: "wasm", device: "cpu", host: "h", workers: 1 };
};

describe("each event", () => {
  test("has its name, its level, its sentence and its fields", () => {
    const { tell } = setUp({ runDir: "runs/a/" });
    const lines = tell(
      started(),
      joined("worker-1", 7),
      step(),
      { type: "worker-late", worker: "worker-1", step: 401, shards: 1, lateMs: 1_200 },
      workerLeft({ worker: "worker-1" }),
      workerLeft({ lost: false, shardsReassigned: 0, reason: "it received SIGTERM" }),
      { type: "waiting", workers: 0, minWorkers: 1, waitedMs: 10_000 },
      epoch(),
      { type: "checkpoint-failed", message: "the disk is full", step: 938 },
      { type: "warning", message: "checkpoints cannot be written" },
    );
    expect(lines.map(({ event, level, worker, step: at }) => [event, level, worker, at])).toEqual([
      ["run-started", "info", null, 0],
      ["worker-joined", "info", "worker-1", 0],
      ["step", "info", null, 400],
      ["worker-late", "info", "worker-1", 400],
      ["worker-lost", "warn", "worker-1", 400],
      ["shards-reassigned", "info", "worker-1", 400],
      ["worker-left", "info", "w2", 400],
      ["waiting", "warn", null, 400],
      ["epoch", "info", null, 400],
      ["checkpoint-failed", "error", null, 400],
      ["warning", "warn", null, 400],
    ]);
    expect(lines.every(({ run }) => run === "a")).toBe(true);
    const [, joining, stepped, late, lost] = lines;
    expect(joining).toMatchObject({ engine: "wasm", device: "cpu", host: "h", pid: 7, workers: 1 });
    expect(stepped).toMatchObject({ msg: "Epoch [1/10], Step [400/938], Loss: 0.0907", loss: 0.09068 });
    expect(stepped).not.toHaveProperty("phases");
    expect(late).toMatchObject({ lateStep: 401, lateMs: 1_200 });
    expect(lost).toMatchObject({
      msg: "lost worker worker-1: killed by SIGKILL; 3 shards reassigned, 1 worker left",
      reason: "killed by SIGKILL",
      shardsReassigned: 3,
    });
  });

  test("knows the run and the step as soon as they are told, and not before", () => {
    const { tell } = setUp();
    const [before, after, later] = tell({ type: "warning", message: "x" }, resumed(), {
      type: "warning",
      message: "y",
    });
    expect(before).toMatchObject({ run: null, step: null });
    expect(after).toMatchObject({ event: "run-resumed", run: "a", step: 1500 });
    expect(later).toMatchObject({ run: "a", step: 1500 });
  });

  test("of a process that has joined has the worker's name", () => {
    const { tell } = setUp();
    const said = (pid: number): TrainingEvent => ({ type: "warning", message: "worker process 7: Error: x", pid });
    const [, known, unknown] = tell(joined("worker-1", 7), said(7), said(8));
    expect(known).toMatchObject({ worker: "worker-1", pid: 7 });
    expect(unknown).toMatchObject({ worker: null, pid: 8 });
  });
});

test("steps are told every logEvery steps of an epoch, or not at all", () => {
  const steps = Array.from({ length: 938 }, (_, i) => step({ stepInEpoch: i + 1, step: 938 + i + 1 }));
  expect(
    setUp()
      .tell(...steps)
      .map(({ step: at }) => at),
  ).toEqual([1338, 1738]);
  expect(setUp({ logEvery: 0 }).tell(...steps)).toEqual([]);
});

test("rejected results are summed up, at most once a second, and none is forgotten", () => {
  const { tell, clock } = setUp();
  const rejected = (reason: string): TrainingEvent => ({ type: "rejected", reason });
  let count = 0;
  const times: number[] = [];
  for (; clock.ms < 3_500; clock.ms += 10) {
    for (const line of tell(rejected("stale"), rejected("duplicate"))) {
      expect(line["event"]).toBe("rejected");
      count += line["count"] as number;
      times.push(clock.ms);
    }
  }
  expect(times).toEqual([0, 1_000, 2_000, 3_000]);
  const [last] = tell(finished());
  expect(last).toMatchObject({ event: "rejected", reasons: { duplicate: 50, stale: 50 } });
  expect(last?.["msg"]).toBe("Rejected 100 results: 50 stale, 50 duplicate");
  expect(count + (last?.["count"] as number)).toBe(700);
});

test("that the run is finished is its last line, with the result as a field", () => {
  const end = finished();
  const lines = setUp().tell(started(), end).slice(1);
  expect(lines.map(({ event }) => event)).toEqual(["summary", "summary", "summary", "run-finished"]);
  expect(lines.at(-1)).toMatchObject({
    msg: "Accuracy of the network on the 10000 test images: 98.96 %",
    result: end.type === "finished" && end.result,
  });
});

test("quiet, it tells warnings, failures and the result", () => {
  const { tell } = setUp({ quiet: true });
  const failure: TrainingEvent = { type: "checkpoint-failed", message: "the disk is full", step: 938 };
  const lines = tell(started(), step(), workerLeft(), epoch(), failure, finished());
  expect(lines.map(({ event }) => event)).toEqual(["worker-lost", "checkpoint-failed", "run-finished"]);
});

test("a failure that is a sentence has its code, and any other its stack", () => {
  const { log, lines } = setUp({ quiet: true });
  log.fail(new LockstepError("not-enough-workers", "no worker is left"));
  log.fail(new TypeError("x is undefined"));
  expect(lines).toMatchObject([
    { level: "error", event: "run-failed", msg: "no worker is left", code: "not-enough-workers", exitCode: 3 },
    { event: "run-failed", msg: "unexpected error: x is undefined", exitCode: 1 },
  ]);
  expect(lines[1]?.["stack"]).toMatch(/^TypeError: x is undefined\n +at /);
});

test("all names are in the vocabulary, with its levels", () => {
  const { tell } = setUp({ workersByHand: true });
  const lines = tell(
    { type: "monitoring", url: "http://h/metrics", runDir: "runs/b" },
    { type: "listening", address: "tcp://h:1" },
    { type: "workers-chosen", workers: 1, tried: [{ workers: 1, stepMs: 2 }] },
    { type: "checkpoint", path: "runs/a/c", step: 3, sizeBytes: 10, durationMs: 2 },
  );
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatchObject({ run: "b", url: "http://h/metrics" });
  for (const { event, level } of lines) expect(COORDINATOR_EVENTS).toHaveProperty(String(event), level);
});
