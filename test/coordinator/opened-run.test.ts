import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRun } from "../../src/coordinator/opened-run.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { publicConfig, type TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { checkpointOf } from "../support/checkpoints.ts";

const DATASET = { name: "MNIST", digest: "d", trainSamples: 6_400, testSamples: 10_000 };

let root: string;
let runDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lockstep-opened-"));
  runDir = join(root, "mine");
});
afterEach(() => rmSync(root, { recursive: true }));

async function open(options: Partial<TrainConfig>) {
  const warnings: string[] = [];
  const config = configFrom("train", { runDir, ...options });
  const warn = (message: string): void => void warnings.push(message);
  const { directory, resumption } = await openRun({ config, dataset: DATASET, now: () => new Date(), warn });
  directory.close();
  return { path: directory.path, resumption, warnings };
}

/** Checkpoints of a run of 100 steps an epoch. */
async function saved(steps: readonly number[], options: Partial<TrainConfig> = {}): Promise<string[]> {
  await open(options);
  const config = publicConfig(configFrom("train", { runDir, ...options }));
  const paths = steps.map((step) => join(runDir, "checkpoints", `step-${String(step).padStart(6, "0")}.safetensors`));
  for (const [i, path] of paths.entries()) await writeCheckpoint(path, checkpointOf(steps[i]!, { config }));
  return paths;
}

const configOnDisk = (): Record<string, unknown> =>
  JSON.parse(readFileSync(join(runDir, "config.json"), "utf8")) as Record<string, unknown>;

test("without --resume a folder that holds a run is refused, and a new one made", async () => {
  expect(await open({})).toEqual({ path: runDir, resumption: undefined, warnings: [] });
  await expect(open({})).rejects.toMatchObject({ code: "usage", message: expect.stringContaining("--resume") });
});

test("options that cannot make a run leave no folder behind", async () => {
  await expect(open({ limitTrain: 50, validation: 50 })).rejects.toMatchObject({ code: "usage" });
  expect(existsSync(runDir)).toBe(false);
});

describe("with --resume", () => {
  test.each([
    ["no folder", async () => {}],
    ["an empty folder", async () => mkdirSync(runDir)],
    ["a run that was killed before its first checkpoint", async () => void (await open({}))],
  ])("%s is begun at step 0, and that is said", async (_, prepare) => {
    await prepare();
    const message = `${runDir} holds no checkpoint to resume from: starting at step 0`;
    expect(await open({ resume: true })).toEqual({ path: runDir, resumption: undefined, warnings: [message] });
    expect(existsSync(join(runDir, "checkpoints"))).toBe(true);
  });

  test("it goes on from the newest checkpoint, and metrics of later steps are dropped", async () => {
    const [, newest] = await saved([20, 40]);
    const line = (step: number) => `${JSON.stringify({ type: "step", step })}\n`;
    writeFileSync(join(runDir, "metrics.ndjson"), [10, 40, 50].map(line).join(""));
    const { resumption, warnings } = await open({ resume: true });
    expect(resumption).toMatchObject({ path: newest, checkpoint: { step: 40 } });
    expect(warnings).toEqual([]);
    expect(readFileSync(join(runDir, "metrics.ndjson"), "utf8")).toBe(line(10) + line(40));
  });

  test("a damaged newest one is named, and the one before it taken", async () => {
    const [before, newest] = await saved([20, 40]);
    truncateSync(newest!, 1000);
    const { resumption, warnings } = await open({ resume: true });
    expect(resumption?.path).toBe(before);
    expect(warnings).toEqual([expect.stringContaining(`${newest!} is truncated`)]);
  });

  test("other options are refused, and nothing is touched", async () => {
    await saved([20]);
    const line = `${JSON.stringify({ type: "step", step: 30 })}\n`;
    writeFileSync(join(runDir, "metrics.ndjson"), line);
    await expect(open({ resume: true, lr: 0.01 })).rejects.toMatchObject({ code: "usage" });
    expect(readFileSync(join(runDir, "metrics.ndjson"), "utf8")).toBe(line);
    expect(configOnDisk()).toMatchObject({ lr: 0.001 });
  });

  test("config.json then says with what the run goes on", async () => {
    await saved([20]);
    await open({ resume: true, workers: 3 });
    expect(configOnDisk()).toMatchObject({ workers: "auto" });
    await open({ resume: true, epochs: 12 });
    expect(configOnDisk()).toMatchObject({ epochs: 12 });
    expect(configOnDisk()).not.toHaveProperty("resume");
  });

  test("a run without checkpoints may begin anew with other options", async () => {
    await open({ seed: 1 });
    await open({ resume: true, seed: 2 });
    expect(configOnDisk()).toMatchObject({ seed: 2 });
  });
});
