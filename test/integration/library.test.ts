import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
// The package's own exports, as a program that depends on it sees them: the built files and their types.
import { LockstepError, train, type TrainingEvent } from "lockstep";
import { readCheckpoint } from "lockstep/checkpoint";
import { InputSource, loadDataset } from "lockstep/data";
import { createEngine } from "lockstep/engine";
import { gone } from "../support/cli.ts";

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

test("trains several times in one program, one after the other and at once, to the same weights", async () => {
  const hashes: string[] = [];
  const once = async (name: string, isolation: "thread" | "process"): Promise<void> => {
    const run = await train({ ...SMALL, workers: 2, isolation, runDir: join(folder, name) });
    hashes.push((await run.result).weightsSha256);
  };
  await once("first", "thread");
  await once("second", "thread");
  await Promise.all([once("a", "thread"), once("b", "thread"), once("c", "process")]);
  expect(hashes).toHaveLength(5);
  expect(new Set(hashes).size).toBe(1);
});

/** Runs a program with these flags; it cannot go on beyond a deadline. */
async function program(code: string, flags: readonly string[] = ["--input-type=module"]) {
  const child = promisify(execFile)(process.execPath, [...flags, "-e", code], { timeout: 30_000 });
  try {
    return { ...(await child), exitCode: 0 };
  } catch (thrown) {
    const { stdout, stderr, code: exitCode } = thrown as ExecFileFailure;
    return { stdout, stderr, exitCode };
  }
}

interface ExecFileFailure {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

describe.each(["thread", "process"] as const)("a program whose workers are of the kind %s", (isolation) => {
  const options = (more = {}): string =>
    JSON.stringify({ ...SMALL, workers: 2, isolation, runDir: join(folder, "run"), ...more });

  test.each([
    ["modules", ["--input-type=module"]],
    [
      "modules, after something of its own",
      ["--import", "data:text/javascript,console.log('before')", "--input-type=module"],
    ],
    ["CommonJS", []],
  ])("may be given with -e, as %s: its code and flags are not the workers'", async (_, flags) => {
    const code = `
      console.log("this program runs");
      import("lockstep").then(async ({ train }) => {
        const run = await train(${options()});
        const { workers, workersLost } = await run.result;
        console.log("workers", workers, "lost", workersLost);
      });
    `;
    const ended = await program(code, flags);
    const before = flags.length > 1 ? "before\n" : "";
    expect(ended).toEqual({ stdout: `${before}this program runs\nworkers 2 lost 0\n`, stderr: "", exitCode: 0 });
  });

  test("ends by itself: a run leaves no thread, port or timer behind, and no exit code", async () => {
    const code = `
      import { setImmediate } from "node:timers/promises";
      import { train } from "lockstep";
      const standardStreams = [process.stdout, process.stderr].map(() => "PipeWrap").join();
      const resources = () => process.getActiveResourcesInfo().filter((kind) => kind !== "Immediate").join();
      const run = await train(${options()});
      await run.result;
      // What is closed takes some turns of the event loop to be gone.
      while (resources() !== standardStreams) await setImmediate();
      console.log("exit code", process.exitCode);
    `;
    expect(await program(code)).toEqual({ stdout: "exit code undefined\n", stderr: "", exitCode: 0 });
  });

  test.each([
    ["exits", "process.exit(9)", 9, /^$/],
    ["throws", 'throw new Error("a mistake")', 1, /Error: a mistake/],
    ["leaves a rejection unhandled", 'void Promise.reject(new Error("a mistake"))', 1, /Error: a mistake/],
  ])("that %s in the midst of a run ends at once, and its workers with it", async (_, mistake, exitCode, stderr) => {
    const code = `
      import { execFileSync } from "node:child_process";
      import { train } from "lockstep";
      const run = await train(${options({ epochs: 1_000 })});
      for await (const event of run) {
        if (event.type !== "step" || event.step !== 5) continue;
        const ps = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" });
        console.log(ps.split("\\n").filter((line) => line.includes("worker")).map((line) => parseInt(line)).join(" "));
        setTimeout(() => { ${mistake} }, 0);
      }
    `;
    const ended = await program(code);
    expect(ended.exitCode).toBe(exitCode);
    expect(ended.stderr).toMatch(stderr);
    const pids = ended.stdout.trim().split(" ").filter(Boolean).map(Number);
    expect(pids).toHaveLength(isolation === "process" ? 2 : 0);
    for (const pid of pids) await gone(pid);
  });
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
