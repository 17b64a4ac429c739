import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childrenOf, CLI, gone, type RunningCommand, resultOf, useCli } from "../support/cli.ts";
import { Sabotage } from "../support/sabotage.ts";

/** `lockstep train` as a user runs it: real threads and processes, real ZeroMQ, real MNIST. */

const cli = useCli();
const ISOLATIONS = ["thread", "process"] as const;
const SMALL = ["--limit-train", "4000", "--epochs", "1", "--metrics-port", "0"];
const LONG = ["--epochs", "50", "--metrics-port", "0", "--log-every", "10"];

/** The weights of the run above, whoever computed them. */
async function undisturbedHash(extra: readonly string[] = []): Promise<unknown> {
  const { weightsSha256 } = resultOf(await cli.run(["train", ...SMALL, ...extra, "--workers", "1", "--json"]));
  return weightsSha256;
}

describe("lockstep train", () => {
  it("trains, evaluates, and writes a checkpoint that `eval` confirms", async () => {
    const ended = await cli.run(["train", ...SMALL, "--workers", "2", "--log-every", "20", "--run-dir", "here"]);
    expect(ended.stderr).toBe("");
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/^Training on 4,000 images: 1 epoch of 63 steps, 2 workers$/m);
    expect(ended.stdout).toMatch(/^Epoch \[1\/1\], Step \[20\/63\], Loss: \d+\.\d{4}$/m);
    const [, accuracy] = /^Accuracy of the network on the 10000 test images: (\d+\.\d\d) %$/m.exec(ended.stdout) ?? [];
    expect(Number(accuracy)).toBeGreaterThan(85);
    const checkpoint = join("here", "checkpoints", "step-000063.safetensors");
    const evaluated = await cli.run(["eval", "--checkpoint", checkpoint]);
    expect(evaluated.stdout).toBe(`Accuracy of the network on the 10000 test images: ${accuracy} %\n`);
    const lines = readFileSync(join(cli.folder(), "here", "metrics.ndjson"), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(["step", "step", "step", "epoch"]);
  });

  it("gives the same weights for 1, 2, 3 and 5 threads and processes, and every field of the contract", async () => {
    const hashes = [];
    for (const isolation of ISOLATIONS) {
      // Batches of 100 have three full shards and one of four samples: a fifth worker has nothing to do.
      for (const workers of [1, 2, 3, 5]) {
        const options = ["--batch-size", "100", "--isolation", isolation, "--workers", String(workers), "--json"];
        const result = resultOf(await cli.run(["train", ...SMALL, ...options]));
        expect(result).toMatchObject({ epochs: 1, steps: 40, samples: 4000, workersLost: 0, engine: "wasm" });
        expect(Object.keys(result)).toEqual(
          expect.arrayContaining([
            ...["testAccuracy", "testErrors", "trainLoss", "epochs", "steps", "samples", "trainSeconds", "wallSeconds"],
            ...["samplesPerSecond", "workers", "workersLost", "shardsReassigned", "engine", "weightsSha256", "runDir"],
            "checkpoint",
          ]),
        );
        hashes.push(result.weightsSha256);
      }
    }
    expect(new Set(hashes).size).toBe(1);
  });

  it("starts as many threads as it is told, on however few cores", async () => {
    const options = ["--workers", "24", "--min-workers", "24", "--json"];
    const result = resultOf(await cli.run(["train", ...SMALL, ...options]));
    expect(result).toMatchObject({ workers: 24, workersLost: 0, weightsSha256: await undisturbedHash() });
  });

  it("trains with the reference engine in threads", async () => {
    const options = ["--limit-train", "64", "--workers", "2", "--engine", "reference", "--json"];
    const result = resultOf(await cli.run(["train", ...SMALL, ...options]));
    expect(result).toMatchObject({ steps: 1, workers: 2, workersLost: 0, engine: "reference" });
  });

  it("trains from the sources with tsx, as in development", async () => {
    const args = ["train", ...SMALL, "--workers", "2", "--json"];
    const cliSource = join(import.meta.dirname, "../../src/cli.ts");
    const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), cliSource, ...args], {
      cwd: cli.folder(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child, "close");
    const result = resultOf({ stdout, stderr, code: child.exitCode, signal: null });
    expect(result).toMatchObject({ workers: 2, workersLost: 0, weightsSha256: await undisturbedHash() });
  });

  it("says so when the result cannot be written, though the run is complete", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [CLI, "train", ...SMALL, "--limit-train", "64", "--json"], {
      cwd: cli.folder(),
      stdio: ["ignore", full, "pipe"],
    });
    let stderr = "";
    child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child, "close");
    closeSync(full);
    expect(stderr).toMatch(/the result could not be written to stdout/);
    expect(child.exitCode).toBe(1);
  });

  it("warns of a variable that is meant as an option", async () => {
    const { code, stderr } = await cli.run(["train", ...SMALL, "--quiet"], { LOCKSTEP_EPOCH: "1" });
    expect(stderr).toBe("lockstep: warning: LOCKSTEP_EPOCH is not an option; did you mean LOCKSTEP_EPOCHS?\n");
    expect(code).toBe(0);
  });

  it("refuses data and checkpoints that are pipes or devices, which may never end", async () => {
    const fifo = join(cli.folder(), "train-images-idx3-ubyte");
    execFileSync("mkfifo", [fifo]);
    const { code, stderr } = await cli.run(["train", "--data", cli.folder(), "--metrics-port", "0"]);
    expect(stderr).toMatch(/train-images-idx3-ubyte is not a regular file/);
    expect(code).toBe(4);
    const evaluated = await cli.run(["eval", "--checkpoint", "/dev/zero"]);
    expect(evaluated).toMatchObject({ code: 4, stderr: expect.stringContaining("/dev/zero is not a regular file") });
  });
});

describe.each(ISOLATIONS)("lockstep train --isolation %s", (isolation) => {
  const workersOf = (count: number): string[] => ["--isolation", isolation, "--workers", String(count)];

  /** The processes of a run's workers: none where they are threads. */
  async function workerProcesses(run: RunningCommand, count: number): Promise<number[]> {
    const children = await childrenOf(run.pid);
    expect(children).toHaveLength(isolation === "process" ? count : 0);
    return children;
  }

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends in good order at %s: checkpoint, exit code %i, no process left", async (signal, code) => {
    const run = cli.start(["train", ...LONG, ...workersOf(2), "--run-dir", "here"]);
    await run.sees(/Step \[10\/938\]/);
    const workers = await workerProcesses(run, 2);
    run.kill(signal);
    const ended = await run.ended();
    expect(ended).toMatchObject({ code, stderr: "" });
    const [, steps] = new RegExp(`Interrupted by ${signal} after (\\d+) steps`).exec(ended.stdout) ?? [];
    const file = `step-${steps?.padStart(6, "0")}.safetensors`;
    expect(readdirSync(join(cli.folder(), "here", "checkpoints")).toSorted()).toEqual(["latest", file]);
    for (const pid of workers) await gone(pid);
  });

  it.each([50, 150, 250, 350, 500])("ends at a signal that comes %i ms after its start", async (delayMs) => {
    const run = cli.start(["train", ...workersOf(2), "--metrics-port", "0"]);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const workers = await childrenOf(run.pid);
    run.kill("SIGTERM");
    const { code, signal } = await run.ended();
    // Before the command is loaded, the signal itself ends the process: to a shell that is 143 too.
    expect(code ?? signal).toBeOneOf([143, "SIGTERM"]);
    for (const pid of workers) await gone(pid);
  });

  it("ends at a signal that comes while its workers are starting", async () => {
    const run = cli.start(["train", ...workersOf(8), "--metrics-port", "0"]);
    await run.sees(/Metrics for Prometheus/);
    run.kill("SIGINT");
    const { code, stdout, stderr } = await run.ended();
    expect([code, stderr]).toEqual([130, ""]);
    expect(stdout).toMatch(/Interrupted by SIGINT after 0 steps/);
  });

  it("ends at once at a second signal, whatever its workers are doing", async () => {
    const sabotage = new Sabotage(cli.folder());
    const run = cli.start(["train", ...LONG, ...workersOf(1)], sabotage.environment);
    await run.sees(/Step \[10\/938\]/);
    const workers = await workerProcesses(run, 1);
    // The step under way cannot be finished while its only worker waits.
    await sabotage.order(run, "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000)");
    run.kill("SIGINT");
    run.kill("SIGTERM");
    const { code, stdout, stderr } = await run.ended();
    expect(code).toBeOneOf([130, 143]);
    expect(stdout).not.toMatch(/Interrupted/);
    expect(stderr).toBe("");
    for (const pid of workers) await gone(pid);
  });

  it("takes its workers along when it is killed", async () => {
    const run = cli.start(["train", ...LONG, ...workersOf(2)]);
    await run.sees(/Step \[10\/938\]/);
    const workers = await workerProcesses(run, 2);
    run.kill("SIGKILL");
    for (const pid of [run.pid, ...workers]) await gone(pid);
  });

  const byIsolation = (thread: string, process: string): string => (isolation === "thread" ? thread : process);

  it.each([
    ["exits", 1, "process.exit(7)", byIsolation("its thread ended with code 7", "its process exited with code 7")],
    ["throws", 2, 'throw new Error("boom")', byIsolation("its thread failed: boom", "its process exited with code 1")],
  ])("replaces a worker that %s, of %i, and comes to the same weights", async (_, count, code, reason) => {
    const sabotage = new Sabotage(cli.folder());
    // All take part from the first step on, and no work is given out while one is missing.
    const options = ["--epochs", "6", "--log-every", "30"];
    const workers = [...workersOf(count), "--min-workers", String(count)];
    const run = cli.start(["train", ...SMALL, ...options, ...workers, "--json"], sabotage.environment);
    await run.sees(/Step \[30\/63\]/);
    await sabotage.order(run, code);
    // Its connection may break before its end is known.
    const known = `(${reason}|its connection was lost)`;
    await run.sees(new RegExp(`lost worker worker-\\d: ${known}; \\d shards? reassigned, ${count - 1} workers? left`));
    await sabotage.order(run, 'process.stderr.write("here I am\\n")');
    const ended = await run.ended();
    expect(ended.stderr).toMatch(new RegExp(`warning: worker ${isolation} \\d+: here I am`));
    expect(ended.code).toBe(0);
    const result = resultOf(ended);
    expect(result).toMatchObject({ workers: count, workersLost: 1 });
    expect(result.weightsSha256).toBe(await undisturbedHash(options));
  });

  it("says where a worker failed", async () => {
    const sabotage = new Sabotage(cli.folder());
    const run = cli.start(["train", ...LONG, ...workersOf(1)], sabotage.environment);
    await run.sees(/Step \[10\/938\]/);
    await sabotage.order(run, 'function brokenPart() { throw new Error("boom"); } brokenPart();');
    await run.sees(new RegExp(`warning: worker ${isolation} \\d+: Error: boom`));
    await run.sees(/ at brokenPart /);
  });

  it("passes on what a worker writes to stderr, as warnings, and nothing of its stdout", async () => {
    const sabotage = new Sabotage(cli.folder());
    sabotage.each('console.log("to stdout"); console.error("to stderr")');
    const ended = await cli.run(["train", ...SMALL, ...workersOf(1), "--quiet", "--json"], sabotage.environment);
    expect(ended.stdout.split("\n")).toEqual([expect.stringMatching(/^\{.*\}$/), ""]);
    expect(ended.stderr).toMatch(new RegExp(`^warning: worker ${isolation} \\d+: to stderr\nAccuracy .*\n$`));
  });

  it("exits with 3 when no worker can be kept alive, says why, and keeps what was done", async () => {
    const sabotage = new Sabotage(cli.folder());
    const run = cli.start(["train", ...LONG, ...workersOf(1)], sabotage.environment);
    await run.sees(/Step \[10\/938\]/);
    // Whoever is started from now on fails at once, so that the run gets no further.
    sabotage.each('process.stderr.write("no luck\\n"); process.exit(9);');
    await sabotage.order(run, "process.exit(9)");
    const { code, stderr } = await run.ended();
    const reason = byIsolation("its thread ended", "its process exited");
    expect(stderr).toContain(
      `lockstep: the only worker has ended, again and again; the last time: ${reason} with code 9 (no luck); the weights`,
    );
    expect(stderr).toMatch(/the weights so far are in .*\/step-0\d+\.safetensors\n$/);
    expect(code).toBe(3);
  });

  it("exits with 3 when no engine can be made, in one clear sentence", async () => {
    const sabotage = new Sabotage(cli.folder());
    sabotage.each(`
      const fs = require("node:fs");
      const { readFileSync } = fs;
      fs.readFileSync = (path, ...rest) => {
        if (String(path).endsWith("lenet5.wasm")) throw new Error("not there");
        return readFileSync(path, ...rest);
      };
      require("node:module").syncBuiltinESMExports();
    `);
    const { code, stderr } = await cli.run(["train", ...SMALL, ...workersOf(2)], sabotage.environment);
    const reason = byIsolation("its thread ended", "its process exited");
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
      new RegExp(
        `^lockstep: all 2 workers have ended, again and again; the last time: ${reason} with code 1 \\(lockstep.*: ` +
          'cannot read the compiled kernels .*lenet5.wasm \\(not there\\): run "npm run build"\\)$',
      ),
    );
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(3);
  });
});

describe("worker processes", () => {
  it("are replaced when they are killed, and the weights are the same", async () => {
    const options = ["--epochs", "6", "--log-every", "30"];
    const workers = ["--isolation", "process", "--workers", "2", "--min-workers", "2"];
    const run = cli.start(["train", ...SMALL, ...options, ...workers, "--json"]);
    await run.sees(/Step \[30\/63\]/);
    const [victim] = await childrenOf(run.pid);
    process.kill(victim!, "SIGKILL");
    const ended = await run.ended();
    // Its connection may break before its end is known.
    const known = "(its process was ended by SIGKILL|its connection was lost)";
    expect(ended.stderr).toMatch(new RegExp(`lost worker worker-\\d: ${known}; \\d shards? reassigned`));
    expect(ended.code).toBe(0);
    const result = resultOf(ended);
    expect(result.workersLost).toBe(1);
    expect(result.weightsSha256).toBe(await undisturbedHash(options));
  });

  it("leave a signal that reaches them too to the run, which finishes the step and saves it", async () => {
    const run = cli.start(["train", ...LONG, "--isolation", "process", "--workers", "2"]);
    await run.sees(/Step \[10\/938\]/);
    for (const pid of await childrenOf(run.pid)) process.kill(pid, "SIGTERM");
    run.kill("SIGTERM");
    const ended = await run.ended();
    expect(ended.stderr).toBe("");
    expect(ended.stdout).toMatch(/Interrupted by SIGTERM after \d+ steps[^]*checkpoint runs/);
    expect(ended.code).toBe(143);
  });

  it("do without a folder for their socket", async () => {
    const options = ["--isolation", "process", "--workers", "1", "--quiet"];
    const ended = await cli.run(["train", ...SMALL, ...options], { TMPDIR: "/nowhere" });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  });
});
