/**
 * The folder of a run: `config.json`, `metrics.ndjson`, `checkpoints/`, at its end `result.json`, and a lock while a
 * coordinator writes there.
 */

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { checkpointName } from "../shared/checkpoint-file.ts";
import { publicConfig, type CoordinatorConfig, type TrainConfig } from "../shared/config.ts";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { parseRunRecord, type RunRecord } from "../shared/run-record.ts";
import { createFileSync, nameOfTemporary, replaceFileSync } from "../shared/whole-file.ts";
import { lockRun, type RunLock } from "./run-lock.ts";
import { RunTally } from "./run-tally.ts";
import { type RunPosition, trimMetrics } from "./trim-metrics.ts";

const CONFIG = "config.json";
const METRICS = "metrics.ndjson";
const RESULT = "result.json";
const REPORT = "report.html";
export const CHECKPOINTS = "checkpoints";
/** Those that are replaced as a whole, by way of a temporary file. */
const FILES: readonly string[] = [CONFIG, METRICS, RESULT, REPORT];

/** Lines wait for company up to this size and age, or the end of the epoch. */
const BUFFER_CHARACTERS = 16_384;
const BUFFER_MS = 1000;

/** More runs than this in one second are a loop gone wild. */
const MAX_RUNS_A_SECOND = 100;

interface RunDirectoryOptions {
  readonly config: TrainConfig | CoordinatorConfig;
  readonly now: () => Date;
  /** Of lockstep, for `result.json`. */
  readonly version?: string | undefined;
  /** Told once when metrics cannot be written, and of a lock of another machine that was taken over. */
  readonly warn: (message: string) => void;
}

/**
 * Makes the run's folder, `config.runDir` or else `runs/<UTC time>-seed<seed>`, and writes `config.json` into it.
 *
 * @throws LockstepError `usage` when the folder holds a run already, is in use, or cannot be written
 */
export function createRunDirectory(options: RunDirectoryOptions): RunDirectory {
  const path = options.config.runDir ?? defaultPath(options.now(), options.config.seed);
  const occupied = [CONFIG, METRICS, CHECKPOINTS, RESULT].find((name) => existsSync(join(path, name)));
  if (occupied !== undefined) throw holdsRun(path, occupied);
  return prepared(path, options, () => {
    try {
      createFileSync(join(path, CONFIG), configText(options));
    } catch (error) {
      // The other one of two runs that started in one folder was quicker, and has ended.
      throw systemCode(error) === "EEXIST" ? holdsRun(path, CONFIG) : error;
    }
  });
}

/**
 * Opens the folder of a run that is to be continued, `config.runDir`, and makes what is missing of it. `config.json`
 * stays as it is if it can be read; of `metrics.ndjson` what belongs to steps after the checkpoint goes.
 *
 * @param at what the checkpoint knows of the run
 * @throws LockstepError `usage` when another coordinator works in the folder, or it cannot be written
 */
export function openRunDirectory(options: RunDirectoryOptions, at: RunPosition): RunDirectory {
  const path = options.config.runDir ?? defaultPath(options.now(), options.config.seed);
  return prepared(path, options, () => {
    removeTemporaries(path);
    if (!isJson(join(path, CONFIG))) replaceFileSync(join(path, CONFIG), configText(options));
    try {
      trimMetrics(join(path, METRICS), at);
    } catch (error) {
      options.warn(`cannot trim ${join(path, METRICS)}, lines may be there twice: ${messageOf(error)}`);
    }
  });
}

/** Makes the folder, locks it, and fills it; unlocks it again when that fails. */
function prepared(path: string, options: RunDirectoryOptions, fill: () => void): RunDirectory {
  let lock: RunLock | undefined;
  try {
    makeFolder(path);
    lock = lockRun(path, options.warn);
    fill();
    makeFolder(join(path, CHECKPOINTS));
    return new RunDirectory(path, options, lock);
  } catch (error) {
    lock?.release();
    throw error instanceof LockstepError ? error : unwritable(path, error);
  }
}

/** A run's folder once it exists, locked until it is closed. */
export class RunDirectory {
  readonly path: string;
  readonly #metricsPath: string;
  readonly #logEvery: number;
  readonly #now: () => Date;
  readonly #warn: (message: string) => void;
  readonly #lock: RunLock;
  readonly #version: string | undefined;
  readonly #tally: RunTally;
  #buffer = "";
  #flushedAtMs: number;
  #warned = false;

  constructor(path: string, { config, now, warn, version }: RunDirectoryOptions, lock: RunLock) {
    this.path = path;
    this.#metricsPath = join(path, METRICS);
    this.#logEvery = config.logEvery;
    this.#now = now;
    this.#warn = warn;
    this.#lock = lock;
    this.#version = version;
    const startedAt = now();
    this.#tally = new RunTally(startedAt.toISOString());
    this.#flushedAtMs = startedAt.getTime();
  }

  /** @throws LockstepError "failed" where another coordinator has taken the folder over */
  assertHeld(): void {
    this.#lock.assertHeld();
  }

  get checkpointsFolder(): string {
    return join(this.path, CHECKPOINTS);
  }

  /** Where the checkpoint after `step` steps belongs: `checkpoints/step-000938.safetensors`. */
  checkpointPath(step: number): string {
    return join(this.checkpointsFolder, checkpointName(step));
  }

  /**
   * Adds a line to `metrics.ndjson` for every epoch and every `logEvery` steps of one, and writes `result.json` at the
   * end. Never throws.
   */
  record(event: TrainingEvent): void {
    this.#tally.record(event);
    if (event.type === "finished") return this.#writeResult(event.result);
    if (event.type === "step") {
      if (event.stepInEpoch % this.#logEvery !== 0) return;
    } else if (event.type !== "epoch") {
      return;
    }
    const time = this.#now();
    this.#buffer += `${JSON.stringify({ time: time.toISOString(), ...event })}\n`;
    const due = this.#buffer.length >= BUFFER_CHARACTERS || time.getTime() - this.#flushedAtMs >= BUFFER_MS;
    if (due || event.type === "epoch") this.#write(time.getTime());
  }

  /** Writes what is still buffered. */
  flush(): void {
    this.#write(this.#now().getTime());
  }

  /** Writes what is still buffered, and lets other coordinators in. */
  close(): void {
    this.flush();
    this.#lock.release();
  }

  #writeResult(result: TrainingResult): void {
    const path = join(this.path, RESULT);
    try {
      const before = this.#readResult(path);
      // Where nothing was left to do, the result of the start that did it says more.
      if (result.resumedFrom === result.steps && before?.weightsSha256 === result.weightsSha256) return;
      const software = {
        lockstep: this.#version ?? null,
        ...{ node: process.version, system: `${process.platform} ${process.arch}` },
      };
      const record = this.#tally.concluded(result, software, this.#now().toISOString(), before);
      replaceFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`);
    } catch (error) {
      this.#warn(`cannot write ${path}: ${messageOf(error)}; the run itself is complete`);
    }
  }

  /** Of the start before, if it ended in good order. */
  #readResult(path: string): RunRecord | undefined {
    if (!existsSync(path)) return undefined;
    const found = parseRunRecord(readFileSync(path, "utf8"));
    if (typeof found !== "string") return found;
    this.#warn(`${path} is damaged (${found}), and replaced: what it said of earlier starts is lost`);
    return undefined;
  }

  #write(nowMs: number): void {
    const lines = this.#buffer;
    this.#buffer = "";
    this.#flushedAtMs = nowMs;
    if (lines === "") return;
    try {
      appendFileSync(this.#metricsPath, lines);
    } catch (error) {
      // A full disk costs these lines, not the training.
      if (!this.#warned) this.#warn(`cannot write ${this.#metricsPath}, lines are lost: ${messageOf(error)}`);
      this.#warned = true;
    }
  }
}

/** A new folder `runs/2026-01-31T12-00-00Z-seed1`; made here, so that a run started in the same second takes another. */
function defaultPath(now: Date, seed: number): string {
  const time = now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
  for (let attempt = 1; attempt <= MAX_RUNS_A_SECOND; attempt++) {
    const path = join("runs", `${time}-seed${seed}${attempt > 1 ? `-${attempt}` : ""}`);
    try {
      makeFolder("runs");
      mkdirSync(path);
      return path;
    } catch (error) {
      if (systemCode(error) !== "EEXIST" || !existsSync(path)) throw unwritable(path, error);
    }
  }
  throw new LockstepError(
    "failed",
    `runs/ already holds ${MAX_RUNS_A_SECOND} runs of this second; name one with --run-dir`,
  );
}

/** With its parents. Node's own `recursive` never returns where a folder cannot be made, such as below /proc. */
export function makeFolder(path: string): void {
  const absolute = resolve(path);
  if (existsSync(absolute)) return;
  makeFolder(dirname(absolute));
  try {
    mkdirSync(absolute);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function configText({ config }: RunDirectoryOptions): string {
  return `${JSON.stringify(publicConfig(config), undefined, 2)}\n`;
}

function isJson(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, "utf8"));
    return true;
  } catch {
    return false;
  }
}

/** Those that a killed process left. */
function removeTemporaries(folder: string): void {
  for (const name of readdirSync(folder)) {
    const of = nameOfTemporary(name);
    if (of !== undefined && FILES.includes(of)) rmSync(join(folder, name), { force: true });
  }
}

function holdsRun(path: string, file: string): LockstepError {
  const message = `--run-dir ${path} already holds a run (${file}); continue it with --resume, or choose another folder`;
  return new LockstepError("usage", message);
}

function unwritable(path: string, error: unknown): LockstepError {
  const message = `cannot make the run folder ${path}: ${messageOf(error)}; choose another with --run-dir`;
  return new LockstepError("usage", message, { cause: error });
}
