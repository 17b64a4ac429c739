import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRunDirectory } from "../../src/coordinator/run-directory.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { epoch, started, step } from "./training-events.ts";

let folder: string;
const cwd = process.cwd();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-run-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(cwd);
  rmSync(folder, { recursive: true });
});

function setUp(options: Partial<TrainConfig> = {}) {
  const clock = { now: new Date("2026-01-31T12:00:00.123Z") };
  const warnings: string[] = [];
  const config = configFrom("train", { seed: 7, logEvery: 2, ...options });
  const run = createRunDirectory({ config, now: () => clock.now, warn: (message) => warnings.push(message) });
  const lines = () =>
    readFileSync(join(run.path, "metrics.ndjson"), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { run, config, clock, warnings, lines };
}

test("is named by time and seed, and unique", () => {
  expect([setUp(), setUp(), setUp()].map(({ run }) => run.path)).toEqual([
    "runs/2026-01-31T12-00-00Z-seed7",
    "runs/2026-01-31T12-00-00Z-seed7-2",
    "runs/2026-01-31T12-00-00Z-seed7-3",
  ]);
});

test("holds the configuration and has a place for checkpoints", () => {
  const { run, config } = setUp({ runDir: "a/b" });
  expect(run.path).toBe("a/b");
  const written = JSON.parse(readFileSync("a/b/config.json", "utf8")) as Partial<TrainConfig>;
  expect(configFrom("train", written)).toEqual(config);
  expect(run.checkpointPath(938)).toBe("a/b/checkpoints/step-000938.safetensors");
  writeFileSync(run.checkpointPath(1_234_567), "");
});

test("gets a line every logEvery steps of an epoch and for each epoch", () => {
  const { run, lines } = setUp();
  run.record(started());
  for (const stepInEpoch of [1, 2, 3, 4, 5]) run.record(step({ stepInEpoch, step: stepInEpoch }));
  run.record(epoch());
  expect(lines().map(({ type, step: number }) => [type, number])).toEqual([
    ["step", 2],
    ["step", 4],
    ["epoch", undefined],
  ]);
  expect(lines()[2]).toMatchObject({ time: "2026-01-31T12:00:00.123Z", epoch: 1, trainLoss: 0.2001, testErrors: 190 });
});

test("buffers lines for a second, or until it is closed", () => {
  const { run, lines, clock } = setUp();
  run.record(step({ stepInEpoch: 2 }));
  expect(lines).toThrow("ENOENT");
  clock.now = new Date(clock.now.getTime() + 1000);
  run.record(step({ stepInEpoch: 4 }));
  expect(lines()).toHaveLength(2);
  run.record(step({ stepInEpoch: 6 }));
  expect(lines()).toHaveLength(2);
  run.close();
  expect(lines()).toHaveLength(3);
});

test("warns once when metrics cannot be written, and goes on", () => {
  const { run, warnings } = setUp({ runDir: "a" });
  mkdirSync("a/metrics.ndjson");
  run.record(epoch());
  run.record(epoch());
  run.close();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^cannot write a\/metrics\.ndjson, lines are lost: EISDIR/);
});

test("refuses a folder that holds a run", () => {
  setUp({ runDir: "a" });
  expect(() => setUp({ runDir: "a" })).toThrow("--run-dir a already holds a run (config.json); choose another folder");
  mkdirSync("b/checkpoints", { recursive: true });
  expect(() => setUp({ runDir: "b" })).toThrow("--run-dir b already holds a run (checkpoints)");
});

test("takes an empty folder that exists", () => {
  mkdirSync("empty");
  expect(setUp({ runDir: "empty" }).run.path).toBe("empty");
});

test("refuses a folder that cannot be made", () => {
  writeFileSync("file", "");
  for (const runDir of ["file", "file/run", "/proc/run"]) {
    expect(() => setUp({ runDir })).toThrow(`cannot make the run folder ${runDir}: `);
  }
  writeFileSync("runs", "");
  expect(() => setUp()).toThrow("cannot make the run folder runs/");
});
