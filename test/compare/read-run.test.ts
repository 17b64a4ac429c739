import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ComparedRun } from "../../src/compare/compared-run.ts";
import { readComparedRun } from "../../src/compare/read-run.ts";
import { RunTally } from "../../src/coordinator/run-tally.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { publicConfig } from "../../src/shared/config.ts";
import type { TrainingResult } from "../../src/shared/events.ts";
import { epoch, finished, step } from "../coordinator/training-events.ts";

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "lockstep-compare-"));
});
afterEach(() => rmSync(runDir, { recursive: true }));

const START = "2026-01-31T12:00:00.000Z";
const at = (seconds: number): string => new Date(Date.parse(START) + seconds * 1000).toISOString();

function write(name: string, ...lines: (object | string)[]): void {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  writeFileSync(join(runDir, name), `${texts.join("\n")}\n`);
}

const writeConfig = (): void => write("config.json", publicConfig(configFrom("train", { epochs: 2, lr: 0.004 })));

const LOG = [
  { time: at(0), event: "run-started", step: 0, msg: "" },
  { time: at(4), event: "epoch", step: 1, epoch: 1, msg: "" },
  { time: at(9), event: "epoch", step: 2, epoch: 2, msg: "" },
];
const METRICS = [
  { time: at(2), ...step() },
  { time: at(4), ...epoch({ epoch: 1, testAccuracy: 0.99, trainLoss: 0.5 }) },
  { time: at(9), ...epoch({ epoch: 2, testAccuracy: 0.98, trainLoss: 0.25 }) },
];

function writeResult(changes: Partial<TrainingResult> = {}): void {
  const ended = finished({ epochs: 2, testAccuracy: 0.98, trainLoss: 0.25, trainSeconds: 8.5, ...changes });
  if (ended.type !== "finished") throw new Error("not the event that was asked for");
  const software = { lockstep: "1.2.3", node: "v20.19.0", system: "linux x64" };
  write("result.json", new RunTally(START).concluded(ended.result, software, at(10), undefined));
}

async function read(): Promise<ComparedRun> {
  const run = await readComparedRun(runDir, "mine");
  return typeof run === "string" ? expect.fail(run) : run;
}

test("a run that is complete", async () => {
  writeConfig();
  write("metrics.ndjson", ...METRICS);
  write("log.ndjson", ...LOG);
  writeResult();
  const run = await read();
  expect(run).toMatchObject({ name: "mine", runDir, ending: { type: "complete" }, notes: [] });
  expect(run.options).toMatchObject({ lr: 0.004, epochs: 2, seed: 1 });
  expect(run.figures).toEqual({
    ...{ testAccuracy: 0.98, bestTestAccuracy: 0.99, bestEpoch: 1, trainLoss: 0.25, epochs: 2, seconds: 8.5 },
    ...{ samplesPerSecond: 24_650.8, engine: "wasm", weightsSha256: "0123456789abcdef".repeat(4) },
    ...{ validationAccuracy: null, validationEpoch: null },
  });
  expect(run.course).toEqual([
    { epoch: 1, seconds: 4, testAccuracy: 0.99, validationAccuracy: null, trainLoss: 0.5 },
    { epoch: 2, seconds: 9, testAccuracy: 0.98, validationAccuracy: null, trainLoss: 0.25 },
  ]);
});

describe("a run with validation images", () => {
  beforeEach(() => {
    writeConfig();
    const [first, second] = [
      { epoch: 1, testAccuracy: 0.97, validationAccuracy: 0.96, isBest: true },
      { epoch: 2, testAccuracy: 0.98, validationAccuracy: 0.95 },
    ];
    write("metrics.ndjson", { time: at(4), ...epoch(first) }, { time: at(9), ...epoch(second) });
    write("log.ndjson", ...LOG);
  });

  test("has the accuracies of the epoch that these chose, also where it did not end in good order", async () => {
    const chosen = { validationAccuracy: 0.96, validationEpoch: 1, testAccuracy: 0.97, bestTestAccuracy: 0.98 };
    const { figures, course } = await read();
    expect(figures).toMatchObject(chosen);
    expect(course.map(({ validationAccuracy }) => validationAccuracy)).toEqual([0.96, 0.95]);
    writeResult({ testAccuracy: 0.97, validationAccuracy: 0.96, bestEpoch: 1 });
    expect((await read()).figures).toMatchObject(chosen);
  });

  test.each(["patience", "time"] as const)("may have ended early: %s", async (endedBy) => {
    writeResult({ endedBy });
    expect((await read()).ending).toEqual({ type: "early", by: endedBy });
  });
});

describe("a run that is not complete", () => {
  beforeEach(() => {
    writeConfig();
    write("metrics.ndjson", ...METRICS.slice(0, 2), '{"type":"epo');
    write("log.ndjson", ...LOG.slice(0, 2));
  });

  test("is told of by what it logged, without a word about the line it was killed in", async () => {
    const metrics = METRICS.slice(0, 2).map((line) => JSON.stringify(line));
    writeFileSync(join(runDir, "metrics.ndjson"), `${metrics.join("\n")}\n{"type":"epo`);
    const { ending, figures, notes } = await read();
    expect([ending, notes]).toEqual([{ type: "unfinished" }, []]);
    expect(figures).toMatchObject({ testAccuracy: 0.99, trainLoss: 0.5, epochs: 1, seconds: 4, weightsSha256: null });
  });

  test("may have failed, and its log says why", async () => {
    write("log.ndjson", ...LOG.slice(0, 2), { time: at(5), event: "run-failed", msg: "step 400 diverged" });
    expect((await read()).ending).toEqual({ type: "failed", message: "step 400 diverged" });
  });

  test("may have been interrupted", async () => {
    writeResult({ interruptedBy: "SIGINT", epochs: 1 });
    expect((await read()).ending).toEqual({ type: "interrupted", signal: "SIGINT" });
  });

  test("may have been resumed, and then killed: the result before does not count", async () => {
    writeResult({ interruptedBy: "SIGINT", epochs: 1, testAccuracy: 0.5 });
    write("log.ndjson", ...LOG.slice(0, 2), { time: at(60), event: "run-resumed", msg: "" });
    const { ending, figures } = await read();
    expect(ending).toEqual({ type: "unfinished" });
    expect(figures).toMatchObject({ testAccuracy: 0.99, weightsSha256: null });
  });

  test("has no figures before its first epoch", async () => {
    rmSync(join(runDir, "metrics.ndjson"));
    rmSync(join(runDir, "log.ndjson"));
    const { figures, course } = await read();
    expect(figures).toMatchObject({ testAccuracy: null, trainLoss: null, epochs: 0, seconds: null });
    expect(course).toEqual([]);
  });
});

describe("damage", () => {
  test("to anything but config.json costs what was there, and a note", async () => {
    writeConfig();
    write("metrics.ndjson", "nonsense", ...METRICS);
    write("log.ndjson", "nonsense", ...LOG);
    write("result.json", { testAccuracy: "high" });
    const { figures, notes, ending } = await read();
    expect(figures).toMatchObject({ testAccuracy: 0.98, epochs: 2, seconds: 9 });
    expect(ending).toEqual({ type: "complete" });
    expect(notes).toEqual([
      `${join(runDir, "metrics.ndjson")} has damaged lines, which were passed over: 1`,
      expect.stringMatching(/result\.json is damaged \(testAccuracy: .*\) and was passed over$/),
    ]);
  });

  test.each([
    ["a folder without a run", undefined, /^holds no run: config\.json is not there$/],
    ["a config.json that is no JSON", "{", /^is damaged: its config\.json cannot be read \(.+\)$/],
    ["a config.json that holds something else", "[]", /^is damaged: its config\.json holds no options$/],
  ])("%s is said to be one", async (_, config, problem) => {
    if (config !== undefined) write("config.json", config);
    expect(await readComparedRun(runDir, "mine")).toMatch(problem);
  });

  test("what is no folder, or not there, is said to be so", async () => {
    write("file", "");
    expect(await readComparedRun(join(runDir, "file"), "mine")).toBe("is no folder");
    expect(await readComparedRun(join(runDir, "nothing"), "mine")).toBe("does not exist");
  });
});

test("the time of a run that was resumed is that of all its starts; where one was killed, that of its log", async () => {
  writeConfig();
  write("metrics.ndjson", ...METRICS);
  write("log.ndjson", ...LOG);
  writeResult({ resumedFrom: 938, trainSeconds: 3 });
  expect((await read()).figures.seconds).toBe(9);
  const ended = finished({ epochs: 2, steps: 938, trainSeconds: 4, interruptedBy: "SIGTERM" });
  const again = finished({ epochs: 2, resumedFrom: 938, trainSeconds: 3 });
  if (ended.type !== "finished" || again.type !== "finished") throw new Error("not the event that was asked for");
  const software = { lockstep: "1.2.3", node: "v20.19.0", system: "linux x64" };
  const first = new RunTally(START).concluded(ended.result, software, at(5), undefined);
  write("result.json", new RunTally(at(6)).concluded(again.result, software, at(10), first));
  expect((await read()).figures.seconds).toBe(7);
});
