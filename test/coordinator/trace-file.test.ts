import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TraceFile, type TraceFileOptions } from "../../src/coordinator/trace-file.ts";
import { COORDINATOR_EVENTS } from "../../src/shared/log/vocabulary.ts";
import { readTrace } from "../support/trace.ts";
import { finished, started, step, workerLeft } from "./training-events.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-trace-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function setUp(changes: Partial<TraceFileOptions> = {}) {
  const path = join(folder, "trace.json");
  const warnings: string[] = [];
  const trace = new TraceFile({
    path,
    startMs: 1_000,
    now: () => 1_001,
    warn: (message) => warnings.push(message),
    ...changes,
  });
  return { trace, path, warnings };
}

const joined = { type: "worker-joined", device: "cpu", workers: 1, engine: "wasm", host: 'h"1', pid: 7 } as const;
const spent = { wait: 2_000, gather: 0, compute: 5_000, held: 5_000 };

test("names who did what, when, and for which step", async () => {
  const { trace, path, warnings } = setUp();
  trace.record({ ...joined, worker: "worker-1" });
  trace.coordinator("decide", 0, 1_002, 1_002.5);
  trace.coordinator("send", 0, 1_002.5, 1_003);
  trace.coordinator("send", 0, 1_003, 1_003.25);
  trace.task(0, { worker: "worker-1", neededAt: 1_003, receivedAt: 1_010, beganBy: 1_005, spent });
  trace.coordinator("send", 1, 1_010, 1_011);
  await trace.close();
  expect(warnings).toEqual([]);
  expect(readTrace(path)).toEqual([
    { name: "process_name", ph: "M", pid: 1, tid: 0, args: { name: "coordinator" } },
    { name: "thread_name", ph: "M", pid: 1, tid: 1, args: { name: "decide, reduce, adam, send" } },
    { name: "process_name", ph: "M", pid: 2, tid: 0, args: { name: 'worker-1 (wasm, host h"1, pid 7)' } },
    { name: "thread_name", ph: "M", pid: 2, tid: 1, args: { name: "gather, compute, wait" } },
    { name: "thread_name", ph: "M", pid: 2, tid: 2, args: { name: "wire" } },
    {
      ...{ name: "worker-joined", ph: "i", s: "p", ts: 1_000, pid: 2, tid: 1 },
      args: { msg: 'Worker worker-1 joined: wasm on cpu, host h"1, pid 7; 1 worker ready' },
    },
    { name: "decide", ph: "X", ts: 2_000, dur: 500, pid: 1, tid: 1, args: { step: 1 } },
    { name: "wait", ph: "X", ts: 2_000, dur: 2_000, pid: 2, tid: 1, args: { step: 1 } },
    { name: "compute", ph: "X", ts: 4_000, dur: 5_000, pid: 2, tid: 1, args: { step: 1 } },
    { name: "wire", ph: "X", ts: 3_000, dur: 1_000, pid: 2, tid: 2, args: { step: 1 } },
    { name: "wire", ph: "X", ts: 9_000, dur: 1_000, pid: 2, tid: 2, args: { step: 1 } },
    // What followed at once is one span.
    { name: "send", ph: "X", ts: 2_500, dur: 750, pid: 1, tid: 1, args: { step: 1 } },
    { name: "send", ph: "X", ts: 10_000, dur: 1_000, pid: 1, tid: 1, args: { step: 2 } },
  ]);
});

test("marks joins, losses and checkpoints under their names in the log, on the row of whom they are about", async () => {
  const { trace, path } = setUp();
  trace.record(started());
  trace.record({ ...joined, worker: "worker-1" });
  trace.record(step());
  trace.record({ type: "rejected", reason: "stale" });
  trace.record(workerLeft({ worker: "worker-1" }));
  trace.record({ type: "checkpoint-failed", message: "the disk is full", step: 3 });
  trace.record(finished());
  await trace.close();
  const marks = readTrace(path).filter(({ ph }) => ph === "i");
  expect(marks.map(({ name, pid }) => [name, pid])).toEqual([
    ["run-started", 1],
    ["worker-joined", 2],
    ["worker-lost", 2],
    ["shards-reassigned", 2],
    ["checkpoint-failed", 1],
    ["run-finished", 1],
  ]);
  expect(marks.every(({ name }) => Object.hasOwn(COORDINATOR_EVENTS, name))).toBe(true);
  expect(marks[4]?.args.msg).toBe("the disk is full");
});

test("is a whole trace from its beginning on, and again after every write", async () => {
  const { trace, path } = setUp();
  let written = readTrace(path).length;
  expect(written).toBe(2);
  for (const batch of [0, 1, 2]) {
    for (let step = batch * 1_000; step < (batch + 1) * 1_000; step++) {
      trace.coordinator("adam", step, 1_000 + step, 1_000.5 + step);
    }
    // Nobody has asked for it: what has been gathered is written by itself, in another thread.
    const readMore = (): number => {
      const { length } = readTrace(path);
      expect(length).toBeGreaterThan(written);
      return length;
    };
    written = await vi.waitFor(readMore, { timeout: 4_000, interval: 1 });
  }
  await trace.close();
  expect(readTrace(path).map(({ args }) => args.step)).toEqual([
    ...[undefined, undefined],
    ...Array.from({ length: 3_000 }, (_, step) => step + 1),
  ]);
});

test("says once when it is full, records no more, and stays whole", async () => {
  const { trace, path, warnings } = setUp({ maxEvents: 10 });
  for (let step = 0; step < 100; step++) {
    trace.coordinator("adam", step, 1_000 + step, 1_000.5 + step);
    trace.task(step, { worker: `worker-${step}`, neededAt: 1_003, receivedAt: 1_010, beganBy: 1_005, spent });
    trace.record({ ...joined, worker: `late-${step}` });
  }
  await trace.close();
  expect(warnings).toEqual([`the trace ${path} has 10 events; the rest of the run is not recorded`]);
  expect(readTrace(path)).toHaveLength(2 + 10);
});

test("takes the place of an earlier one, and makes its folder", async () => {
  const path = join(folder, "a/b/trace.json");
  mkdirSync(join(folder, "a/b"), { recursive: true });
  writeFileSync(path, "x".repeat(10_000));
  for (const each of [path, join(folder, "new/trace.json")]) {
    await setUp({ path: each }).trace.close();
    expect(readTrace(each)).toHaveLength(2);
  }
});

test.each([
  ["a folder", "it", "it is not a regular file", () => mkdirSync(join(folder, "it"))],
  ["a pipe, which would wait for a reader", "it", "it is not a regular file", () => makePipe(join(folder, "it"))],
  ["a device", "/dev/full", "it is not a regular file", () => {}],
  ["a file in a file", "it/trace.json", "ENOTDIR", () => writeFileSync(join(folder, "it"), "")],
])("refuses %s", (_, name, reason, make) => {
  make();
  const path = resolve(folder, name);
  const message = expect.stringMatching(`^cannot write --trace ${path}: ${reason}.*; choose another file$`);
  expect(() => setUp({ path })).toThrow(expect.objectContaining({ code: "usage", exitCode: 2, message }));
});

function makePipe(path: string): void {
  execFileSync("mkfifo", [path]);
}
