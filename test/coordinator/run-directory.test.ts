import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunDirectory, openRunDirectory, type RunDirectory } from "../../src/coordinator/run-directory.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { parseRunRecord, type RunRecord } from "../../src/shared/run-record.ts";
import { epoch, finished, started, step, workerLeft } from "./training-events.ts";

let folder: string;
const cwd = process.cwd();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-run-"));
  process.chdir(folder);
});
afterEach(() => {
  for (const run of opened.splice(0)) run.close();
  process.chdir(cwd);
  rmSync(folder, { recursive: true });
});

const opened: RunDirectory[] = [];

function setUp(options: Partial<TrainConfig> = {}, at?: Parameters<typeof openRunDirectory>[1]) {
  const clock = { now: new Date("2026-01-31T12:00:00.123Z") };
  const warnings: string[] = [];
  const config = configFrom("train", { seed: 7, logEvery: 2, ...options });
  const all = { config, now: () => clock.now, warn: (message: string) => warnings.push(message) };
  const run = at === undefined ? createRunDirectory(all) : openRunDirectory(all, at);
  opened.push(run);
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
  expect(readdirSync(run.checkpointsFolder)).toEqual(["step-1234567.safetensors"]);
  run.close();
  expect(readdirSync(run.path).sort()).toEqual(["checkpoints", "config.json"]);
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

test("refuses a folder that holds a run, and leaves it as it is", () => {
  setUp({ runDir: "a" }).run.close();
  expect(() => setUp({ runDir: "a", epochs: 77 })).toThrow(
    "--run-dir a already holds a run (config.json); continue it with --resume, or choose another folder",
  );
  expect(readFileSync("a/config.json", "utf8")).not.toContain("77");
  mkdirSync("b/checkpoints", { recursive: true });
  expect(() => setUp({ runDir: "b" })).toThrow("--run-dir b already holds a run (checkpoints)");
});

test("of runs that start in one folder at the same time, all but one are refused", () => {
  const { run } = setUp({ runDir: "a" });
  // As far as another has come that starts a moment later.
  rmSync("a/config.json");
  rmSync("a/checkpoints", { recursive: true });
  expect(() => setUp({ runDir: "a" })).toThrow("--run-dir a is in use by another coordinator");
  run.close();
  expect(setUp({ runDir: "a" }).run.path).toBe("a");
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

describe("result.json", () => {
  const at = { step: 0, stepsPerEpoch: 10, evaluatedEpochs: 0 };
  const result = (): RunRecord => {
    const found = parseRunRecord(readFileSync("a/result.json", "utf8"));
    if (typeof found === "string") expect.fail(found);
    return found;
  };

  test("has the result, and what befell the run", () => {
    const { run, clock, config } = setUp({ runDir: "a" });
    run.record(workerLeft());
    clock.now = new Date("2026-01-31T13:00:00.000Z");
    run.record(finished({ workersLost: 1 }));
    expect(result()).toMatchObject({
      ...{ testErrors: 104, workersLost: 1, faults: { workersLost: 1, shardsReassigned: 3 }, earlier: [] },
      ...{ startedAt: "2026-01-31T12:00:00.123Z", endedAt: "2026-01-31T13:00:00.000Z" },
      software: { lockstep: null, node: process.version },
    });
    expect(readdirSync("a").toSorted()).toEqual(["checkpoints", "config.json", "coordinator.lock", "result.json"]);
    expect(config.runDir).toBe("a");
  });

  test("keeps what it said of the starts before, and says nothing new where nothing was left to do", () => {
    const first = setUp({ runDir: "a" });
    first.run.record(workerLeft());
    first.run.record(finished({ steps: 400, interruptedBy: "SIGINT" }));
    first.run.close();
    const second = setUp({ runDir: "a" }, at);
    second.run.record(finished({ steps: 900, resumedFrom: 400, weightsSha256: "of step 900" }));
    second.run.close();
    expect(result().earlier).toMatchObject([{ steps: 400, interruptedBy: "SIGINT", faults: { workersLost: 1 } }]);
    const before = readFileSync("a/result.json", "utf8");
    const third = setUp({ runDir: "a" }, at);
    third.run.record(finished({ steps: 900, resumedFrom: 900, weightsSha256: "of step 900", trainSeconds: 0 }));
    expect(readFileSync("a/result.json", "utf8")).toBe(before);
    expect(third.warnings).toEqual([]);
  });

  test("is replaced with a warning when it is damaged, and costs no more than one when it cannot be written", () => {
    const { run, warnings } = setUp({ runDir: "a" });
    writeFileSync("a/result.json", "{");
    run.record(finished());
    expect(result().steps).toBe(9380);
    expect(warnings).toEqual([expect.stringMatching(/^a\/result\.json is damaged \(it is not JSON\), and replaced/)]);
    rmSync("a/result.json");
    mkdirSync("a/result.json");
    run.record(finished());
    expect(warnings[1]).toMatch(/^cannot write a\/result\.json: EISDIR/);
  });
});

describe("opened to be continued", () => {
  const at = { step: 0, stepsPerEpoch: 10, evaluatedEpochs: 0 };

  test("keeps its configuration, and goes on with its metrics", () => {
    const first = setUp({ runDir: "a", epochs: 3 });
    for (const number of [2, 4, 6]) first.run.record(step({ stepInEpoch: number, step: number }));
    first.run.close();
    const config = readFileSync("a/config.json", "utf8");
    const { run, lines, warnings } = setUp({ runDir: "a", epochs: 4 }, { ...at, step: 4 });
    expect(readFileSync("a/config.json", "utf8")).toBe(config);
    run.record(step({ stepInEpoch: 6, step: 6, loss: 0.5 }));
    run.close();
    expect(lines().map(({ step: number, loss }) => [number, loss])).toEqual([
      [2, 0.09068],
      [4, 0.09068],
      [6, 0.5],
    ]);
    expect(warnings).toEqual([]);
  });

  test.each([
    { what: "nothing at all", make: () => undefined },
    { what: "no configuration", make: () => mkdirSync("a/checkpoints", { recursive: true }) },
    {
      what: "half a configuration, and what a killed process left",
      make: () => {
        mkdirSync("a");
        writeFileSync("a/config.json", '{ "epochs": 1');
        writeFileSync("a/.config.json.0123abcd.tmp", "{");
        writeFileSync("a/.metrics.ndjson.0123abcd.tmp", "{");
      },
    },
  ])("makes what is missing where there is $what", ({ make }) => {
    make();
    const { run, config } = setUp({ runDir: "a" }, at);
    run.record(epoch());
    run.close();
    expect(configFrom("train", JSON.parse(readFileSync("a/config.json", "utf8")) as object)).toEqual(config);
    expect(readdirSync("a").sort()).toEqual(["checkpoints", "config.json", "metrics.ndjson"]);
  });

  test("is refused while another coordinator writes there", () => {
    const { run } = setUp({ runDir: "a" });
    expect(() => setUp({ runDir: "a" }, at)).toThrow(
      "--run-dir a is in use by another coordinator (this very process); wait for its end, or choose another folder",
    );
    run.close();
    expect(setUp({ runDir: "a" }, at).run.path).toBe("a");
  });

  test("warns where metrics cannot be trimmed, and goes on", () => {
    mkdirSync("a/metrics.ndjson", { recursive: true });
    const { warnings } = setUp({ runDir: "a" }, at);
    expect(warnings).toEqual([expect.stringMatching(/^cannot trim a\/metrics\.ndjson, .*: EISDIR/)]);
  });

  test("is refused where it cannot be written, and is not locked then", () => {
    mkdirSync("a/config.json", { recursive: true });
    expect(() => setUp({ runDir: "a" }, at)).toThrow("cannot make the run folder a: ");
    rmSync("a/config.json", { recursive: true });
    expect(setUp({ runDir: "a" }, at).run.path).toBe("a");
  });
});
