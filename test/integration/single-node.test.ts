import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childrenOf, CLI, gone, resultOf, useCli } from "../support/cli.ts";

/** `lockstep train` as a user runs it: real processes, real ZeroMQ, real MNIST. */

const cli = useCli();
const SMALL = ["--limit-train", "4000", "--epochs", "1", "--metrics-port", "0"];

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

  it("gives the same weights for 1, 2, 3 and 5 workers, and every field of the contract", async () => {
    const hashes = [];
    // Batches of 100 have three full shards and one of four samples.
    for (const workers of [1, 2, 3, 5]) {
      const options = ["--batch-size", "100", "--workers", String(workers), "--json"];
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
    expect(new Set(hashes).size).toBe(1);
  });

  it("goes on when a worker is killed, to the same weights", async () => {
    const options = ["--epochs", "6", "--log-every", "30"];
    const run = cli.start(["train", ...SMALL, ...options, "--workers", "2", "--json"]);
    await run.sees(/Step \[30\/63\]/);
    const [victim] = await childrenOf(run.pid);
    process.kill(victim!, "SIGKILL");
    const ended = await run.ended();
    expect(ended.stderr).toMatch(/lost worker worker-\d: its process was ended by SIGKILL; \d shards? reassigned/);
    expect(ended.code).toBe(0);
    const result = resultOf(ended);
    expect(result.workersLost).toBe(1);
    expect(result.weightsSha256).toBe(await undisturbedHash(options));
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends in good order at %s: checkpoint, exit code %i, no process left", async (signal, code) => {
    const run = cli.start(["train", "--epochs", "50", "--metrics-port", "0", "--log-every", "10", "--run-dir", "here"]);
    await run.sees(/Step \[10\/938\]/);
    const workers = await childrenOf(run.pid);
    expect(workers.length).toBeGreaterThan(0);
    run.kill(signal);
    const ended = await run.ended();
    expect(ended.code).toBe(code);
    const [, steps] = new RegExp(`Interrupted by ${signal} after (\\d+) steps`).exec(ended.stdout) ?? [];
    const [file] = readdirSync(join(cli.folder(), "here", "checkpoints"));
    expect(file).toBe(`step-${steps?.padStart(6, "0")}.safetensors`);
    for (const pid of workers) await gone(pid);
  });

  it.each([50, 150, 250, 350, 500])("ends at a signal that comes %i ms after its start", async (delayMs) => {
    const run = cli.start(["train", "--workers", "2", "--metrics-port", "0"]);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const workers = await childrenOf(run.pid);
    run.kill("SIGTERM");
    const { code, signal } = await run.ended();
    // Before the command is loaded, the signal itself ends the process: to a shell that is 143 too.
    expect(code ?? signal).toBeOneOf([143, "SIGTERM"]);
    for (const pid of workers) await gone(pid);
  });

  it("takes its workers along when it is killed", async () => {
    const run = cli.start(["train", "--epochs", "50", "--metrics-port", "0", "--log-every", "10"]);
    await run.sees(/Step \[10\/938\]/);
    const workers = await childrenOf(run.pid);
    expect(workers.length).toBeGreaterThan(0);
    run.kill("SIGKILL");
    for (const pid of workers) await gone(pid);
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

  it("does without a folder for its socket", async () => {
    const ended = await cli.run(["train", ...SMALL, "--workers", "1", "--quiet"], { TMPDIR: "/nowhere" });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("finishes the step and saves it when a signal reaches its workers too", async () => {
    const run = cli.start(["train", "--epochs", "50", "--workers", "2", "--metrics-port", "0", "--log-every", "10"]);
    await run.sees(/Step \[10\/938\]/);
    for (const pid of await childrenOf(run.pid)) process.kill(pid, "SIGTERM");
    run.kill("SIGTERM");
    const ended = await run.ended();
    expect(ended.stderr).toBe("");
    expect(ended.stdout).toMatch(/Interrupted by SIGTERM after \d+ steps[^]*checkpoint runs/);
    expect(ended.code).toBe(143);
  });

  it("exits with 3 when no worker can be kept alive, and says why", async () => {
    const run = cli.start(["train", "--epochs", "50", "--workers", "1", "--metrics-port", "0", "--log-every", "10"]);
    const ended = run.ended();
    while (!run.hasEnded) {
      for (const pid of await childrenOf(run.pid)) process.kill(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { code, stderr } = await ended;
    expect(stderr).toMatch(/all 1 workers have ended, again and again; the last one: its process was ended by SIGKILL/);
    expect(code).toBe(3);
  });
});
