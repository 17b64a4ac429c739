import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
// The package's own exports, as a program that depends on it sees them: the built files and their types.
import { LockstepError, train, type TrainingEvent } from "lockstep";
import { readCheckpoint } from "lockstep/checkpoint";
import { InputSource, loadDataset } from "lockstep/data";
import { createEngine } from "lockstep/engine";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-library-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SMALL = { limitTrain: 2_000, epochs: 2, metricsPort: 0 };

test("trains with events as an async iterable, and a result", async () => {
  const run = await train({ ...SMALL, workers: 2, runDir: join(folder, "run") });
  const events: TrainingEvent[] = [];
  for await (const event of run) events.push(event);
  const result = await run.result;
  expect(events.filter(({ type }) => type === "step")).toHaveLength(2 * 32);
  expect(events.filter(({ type }) => type === "epoch").map((event) => "epoch" in event && event.epoch)).toEqual([1, 2]);
  expect(events.at(-1)).toEqual({ type: "finished", result });
  expect(result).toMatchObject({ epochs: 2, steps: 64, samples: 4_000, workers: 2, runDir: run.runDir });
});

test("what it saves is what the engine computes with", async () => {
  const run = await train({ ...SMALL, workers: 1, runDir: join(folder, "run") });
  const { checkpoint, testErrors, weightsSha256 } = await run.result;
  const { state, step } = await readCheckpoint(checkpoint);
  expect(step).toBe(64);
  expect(weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  const engine = await createEngine("wasm");
  engine.load(state.subarray(0, 61_750));
  const { test: testSplit } = await loadDataset();
  const images = new Float32Array(testSplit.count * 32 * 32);
  const labels = new Uint8Array(testSplit.count);
  new InputSource(testSplit).gatherRange(0, testSplit.count, images, labels);
  // The running statistics follow the parameters: mean[6] var[6] mean[16] var[16].
  const part = (start: number, length: number) => state.subarray(61_750 + start, 61_750 + start + length);
  const runningMean = Float32Array.of(...part(0, 6), ...part(12, 16));
  const runningVar = Float32Array.of(...part(6, 6), ...part(28, 16));
  const { logits } = await engine.evaluate({ images, labels, runningMean, runningVar });
  let errors = 0;
  for (const [i, label] of labels.entries()) {
    const row = logits.subarray(i * 10, i * 10 + 10);
    if (row.indexOf(Math.max(...row)) !== label) errors += 1;
  }
  expect(errors).toBe(testErrors);
});

test("can be interrupted, whether or not somebody reads the events", async () => {
  const run = await train({ epochs: 50, metricsPort: 0, workers: 1, runDir: join(folder, "run") });
  for await (const event of run) if (event.type === "step" && event.step === 5) run.interrupt("SIGINT");
  const { interruptedBy, steps, testAccuracy } = await run.result;
  expect(interruptedBy).toBe("SIGINT");
  expect(steps).toBeGreaterThanOrEqual(5);
  expect(testAccuracy).toBeNull();
});

test("works in a program given with -e, whose code must not run again in the workers", async () => {
  const code = `
    import { train } from "lockstep";
    console.log("this program runs");
    const run = await train(${JSON.stringify({ ...SMALL, workers: 2, runDir: join(folder, "run") })});
    console.log("workers", (await run.result).workers);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]);
  expect(stdout).toBe("this program runs\nworkers 2\n");
});

test("leaves nothing open when it cannot start", async () => {
  const openFiles = (): number => readdirSync("/proc/self/fd").length;
  await expect(train({ data: join(folder, "nothing") })).rejects.toThrow("does not exist");
  const before = openFiles();
  for (let i = 0; i < 5; i++) await expect(train({ data: join(folder, "nothing") })).rejects.toThrow("does not exist");
  expect(openFiles()).toBeLessThanOrEqual(before);
});

test("refuses options and data with errors that carry a code", async () => {
  await expect(train({ epochs: 0 })).rejects.toThrow(LockstepError);
  await expect(train({ epochs: 0 })).rejects.toMatchObject({ code: "usage", exitCode: 2 });
  await expect(train({ data: join(folder, "nothing") })).rejects.toMatchObject({ code: "refused", exitCode: 4 });
});
