import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LockstepError } from "../shared/errors.ts";
import type { TrainingResult } from "../shared/events.ts";
import { type ChildProcesses, plainEnvironment } from "../workshop/child-processes.ts";
import { parseRunLog, type RunLog } from "./run-log.ts";

export interface TrainingProcess {
  readonly cli: string;
  readonly children: ChildProcesses;
  /** Where the run's own folder may be made. */
  readonly folder: string;
  /** Train on the data in this folder. */
  readonly data: string | undefined;
  /** Told the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

export interface FinishedTraining {
  readonly result: TrainingResult;
  readonly log: RunLog;
  /** From the command's start to its end. */
  readonly wallSeconds: number;
  /** When the command was started, in ms since 1970, as the log's times are. */
  readonly startedAt: number;
}

let runs = 0;

/**
 * Runs `lockstep train` as a user would, and leaves nothing behind.
 * @param options of `train`, by their flags
 */
export async function runTraining(
  { cli, children, folder, data, onStart }: TrainingProcess,
  options: Readonly<Record<string, string | number>>,
): Promise<FinishedTraining> {
  runs += 1;
  const runDir = join(folder, `run-${runs}`);
  const own = { "--metrics-port": 0, "--run-dir": runDir, ...(data === undefined ? {} : { "--data": data }) };
  const words = Object.entries({ ...own, ...options }).flatMap(([flag, value]) => [flag, String(value)]);
  const args = [cli, "train", "--json", "--quiet", "--no-report", ...words];
  const startedAt = Date.now();
  const child = children.start(process.execPath, args, { env: plainEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  onStart?.(child);
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  await once(child, "close");
  const wallSeconds = (Date.now() - startedAt) / 1000;
  if (child.exitCode !== 0) {
    throw new LockstepError("failed", `lockstep train ${words.join(" ")} failed: ${output.stderr.trim()}`);
  }
  const log = parseRunLog(readFileSync(join(runDir, "metrics.ndjson"), "utf8"));
  rmSync(runDir, { recursive: true, force: true });
  const result = JSON.parse(output.stdout.trimEnd().split("\n").at(-1) ?? "") as TrainingResult;
  return { result, log, wallSeconds, startedAt };
}
