import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/shared/config-sources.ts";
import { publicConfig, type TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";

let folder: string;
const cwd = process.cwd();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-resumed-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(cwd);
  rmSync(folder, { recursive: true });
});

/** A run's folder with its options, started so many seconds after another. */
function run(path: string, options: Partial<TrainConfig> = {}, startedAt = 0): void {
  mkdirSync(path, { recursive: true });
  const config = join(path, "config.json");
  writeFileSync(config, JSON.stringify(publicConfig(configFrom("train", options))));
  utimesSync(config, startedAt, startedAt);
}

const load = (flags: Record<string, unknown>, environment: Record<string, string> = {}) =>
  loadConfig("train", flags, environment);

test("without --resume no run is looked at", () => {
  run("a", { lr: 0.5 });
  expect(load({ runDir: "a" })).toMatchObject({ lr: 0.001, resume: false });
  expect(load({ runDir: "a", resume: false }, { LOCKSTEP_RESUME: "true" })).toMatchObject({ lr: 0.001 });
});

describe("the run's options", () => {
  test("come after flags, environment and file, before recipe and defaults", () => {
    run("a", { recipe: "fast", lr: 0.5, seed: 2, epochs: 3, batchSize: 32, workers: 3 });
    writeFileSync("options.json", '{"epochs": 7, "seed": 7}');
    const config = load({ runDir: "a", resume: true, config: "options.json", seed: "8" }, { LOCKSTEP_BATCH_SIZE: "9" });
    expect(config).toMatchObject({ recipe: "fast", lr: 0.5, seed: 8, epochs: 7, batchSize: 9, workers: 3 });
    expect(config.schedule).toBe("one-cycle");
  });

  test("that are about one start of it are left", () => {
    const once = { trace: "t", json: true, quiet: true, metricsPort: 1, metricsHost: "::1" } as const;
    run("a", { runDir: "before it was moved", ...once, logEvery: 5 });
    const config = load({ runDir: "a", resume: true });
    expect(config).toMatchObject({ runDir: "a", resume: true, json: false, quiet: false, logEvery: 5 });
    expect(config).toMatchObject({ metricsPort: 9464, metricsPortExplicit: false, metricsHost: "127.0.0.1" });
    expect(config).not.toHaveProperty("trace");
  });

  test("that the run's version did not have are what they were then, whatever its recipe sets today", () => {
    run("a");
    const older = { recipe: "best", lr: 0.006, schedule: "one-cycle", batchSize: 128, epochs: 15, augment: true };
    writeFileSync(join("a", "config.json"), JSON.stringify(older));
    const config = load({ runDir: "a", resume: true });
    expect(config).toMatchObject({ recipe: "best", lr: 0.006, labelSmoothing: 0, weightDecay: 0 });
    expect(load({ runDir: "a", resume: true, weightDecay: "0.1" }).weightDecay).toBe(0.1);
    const olderFast = { recipe: "fast", lr: 0.008, schedule: "one-cycle", batchSize: 128, epochs: 2 };
    writeFileSync(join("a", "config.json"), JSON.stringify(olderFast));
    expect(load({ runDir: "a", resume: true })).toMatchObject({ ...olderFast, labelSmoothing: 0 });
  });

  test("do not keep another recipe from setting its own", () => {
    run("a", { recipe: "fast", lr: 0.5, seed: 2 });
    expect(load({ runDir: "a", resume: true, recipe: "fast" })).toMatchObject({ lr: 0.5, epochs: 1, seed: 2 });
    expect(load({ runDir: "a", resume: true, recipe: "best" })).toMatchObject({ lr: 0.006, epochs: 15, seed: 2 });
    expect(load({ runDir: "a", resume: true, recipe: "seed" })).toMatchObject({ lr: 0.001, epochs: 10, seed: 2 });
  });

  test("are named with their file in messages", () => {
    run("a", { minWorkers: 4 });
    const config = join("a", "config.json");
    expect(() => load({ runDir: "a", resume: true, workers: "2" })).toThrow(
      `${config}: minWorkers 4 can never be reached with --workers 2`,
    );
    writeFileSync(config, '{"epoch": 3}');
    expect(() => load({ runDir: "a", resume: true })).toThrow(
      `${config}: epoch is not an option; did you mean epochs?`,
    );
  });

  test.each([
    ["no folder", () => {}],
    ["an empty folder", () => mkdirSync("a")],
    [
      "half a config.json",
      () => {
        run("a");
        writeFileSync(join("a", "config.json"), '{"lr": 0.');
      },
    ],
  ])("are the defaults where there is %s", (_, prepare) => {
    prepare();
    expect(load({ runDir: "a", resume: true, seed: 5 })).toMatchObject({ runDir: "a", seed: 5, lr: 0.001 });
  });

  test("serve a coordinator, with the address that its workers know, but no other command", () => {
    const network = { listen: "tcp://0.0.0.0:7777", key: "coordinator.key", allow: "workers.allow" };
    run("a");
    writeFileSync(join("a", "config.json"), JSON.stringify(publicConfig(configFrom("coordinator", network))));
    // Keys are named at each start: those of the last one may have been replaced.
    expect(() => loadConfig("coordinator", { runDir: "a", resume: true }, {})).toThrow(
      /can be reached from other machines/,
    );
    const { listen, ...keys } = network;
    expect(loadConfig("coordinator", { runDir: "a", resume: true, ...keys }, {}).listen).toBe(listen);
    expect(loadConfig("doctor", { resume: true }, {})).toEqual({ json: false });
  });
});

describe("without --run-dir", () => {
  test("the run that was started last is meant", () => {
    run("runs/2026-01-02T00-00-00Z-seed1", { seed: 1 }, 200);
    run("runs/mine", { seed: 2 }, 300);
    run("runs/2026-01-03T00-00-00Z-seed1", { seed: 3 }, 100);
    mkdirSync("runs/no-run");
    writeFileSync("runs/file", "");
    expect(load({ resume: true })).toMatchObject({ runDir: join("runs", "mine"), seed: 2 });
  });

  test("and none there, it says what to do", () => {
    const message =
      "--resume finds no run in runs/ here; name its folder with --run-dir, or start a run without --resume";
    expect(() => load({ resume: true })).toThrow(message);
    mkdirSync("runs/no-run", { recursive: true });
    expect(() => load({}, { LOCKSTEP_RESUME: "1" })).toThrow(message);
  });
});

test("what is no value is refused as ever", () => {
  expect(() => load({ resume: "perhaps" })).toThrow('--resume is "perhaps"; allowed: true, false, 1 or 0');
  expect(() => load({ resume: true, runDir: " " })).toThrow('--run-dir is " "; allowed: a folder');
});
