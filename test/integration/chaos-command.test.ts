import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChaosReport } from "../chaos/report.ts";
import { childrenOf, gone } from "../support/cli.ts";

/** `npm run chaos`, for some seconds. */

let folder: string;
let chaos: ChildProcess | undefined;
let [stdout, stderr] = ["", ""];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-chaos-command-"));
  [stdout, stderr] = ["", ""];
});
afterEach(async () => {
  if (chaos?.exitCode === null && chaos.signalCode === null) {
    chaos.kill("SIGTERM");
    await once(chaos, "close");
  }
  rmSync(folder, { recursive: true, force: true });
});

const SHORT = ["--minutes", "0.1", "--epochs", "6", "--limit-train", "2010", "--every-s", "0.5", "--seed", "5"];
/** Those that even a short run meets in each isolation, and some of a network's. */
const EVERYWHERE = "worker-kill,worker-freeze,coordinator-kill,coordinator-kill-in-checkpoint,coordinator-freeze";
const NETWORK = "worker-drain,cut-by-reset,cut-in-message,flipped-bytes,black-hole,messages-astray,rogue-shape";

function start(...args: string[]): ChildProcess {
  const program = join(import.meta.dirname, "../chaos/run.ts");
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), program, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  chaos = child;
  return child;
}

/** Beside what tsx keeps in the folder of temporary files. */
const leftIn = (temporary: string): string[] => readdirSync(temporary).filter((name) => name.startsWith("lockstep"));

describe("npm run chaos", () => {
  it.each([
    ["fleet", `${EVERYWHERE},${NETWORK}`],
    ["thread", EVERYWHERE],
  ])("disturbs a %s, and finds everything as promised", async (isolation, kinds) => {
    const child = start(...SHORT, "--isolation", isolation, "--only", kinds, "--json");
    await once(child, "close");
    expect(child.exitCode, stderr).toBe(0);
    const report = JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as ChaosReport;
    expect(report).toMatchObject({ passed: true, isolation, samplesLost: 0, processesLeft: 0, violations: [] });
    expect(report.faults).toBeGreaterThan(1);
    for (const { weightsSha256, expectedSha256 } of report.runs) expect(weightsSha256).toBe(expectedSha256);
    expect(stderr).toMatch(/^ +\d+\.\d s {2}(worker|coordinator|checkpoint|cut|black|rogue|messages|flipped|noise)/m);
    expect(leftIn(folder)).toEqual([]);
  });

  it("ends with all that it has started when it is interrupted", async () => {
    const child = start(...SHORT, "--every-s", "60");
    let children: number[] = [];
    while (children.length < 4) children = await childrenOf(child.pid!);
    child.kill("SIGINT");
    await once(child, "close");
    expect(child.exitCode).toBe(130);
    for (const pid of children) await gone(pid);
    expect(leftIn(folder)).toEqual([]);
  });

  it("says what is wrong with an option", async () => {
    const child = start("--only", "black-hole", "--isolation", "thread");
    await once(child, "close");
    expect(child.exitCode).toBe(1);
    expect(stderr).toBe("error: no black-hole with --isolation thread\n");
  });
});
