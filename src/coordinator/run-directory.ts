/** The folder of a run: `config.json`, `metrics.ndjson` and `checkpoints/`. */

import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { publicConfig, type CoordinatorConfig, type TrainConfig } from "../shared/config.ts";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import type { TrainingEvent } from "../shared/events.ts";

const CONFIG = "config.json";
const METRICS = "metrics.ndjson";
const CHECKPOINTS = "checkpoints";

/** Lines wait for company up to this size and age, or the end of the epoch. */
const BUFFER_CHARACTERS = 16_384;
const BUFFER_MS = 1000;

/** More runs than this in one second are a loop gone wild. */
const MAX_RUNS_A_SECOND = 100;

interface RunDirectoryOptions {
  readonly config: TrainConfig | CoordinatorConfig;
  readonly now: () => Date;
  /** Told once when metrics cannot be written. */
  readonly warn: (message: string) => void;
}

/**
 * Makes the run's folder, `config.runDir` or else `runs/<UTC time>-seed<seed>`, and writes `config.json` into it.
 *
 * @throws LockstepError `usage` when the folder holds a run already or cannot be written
 */
export function createRunDirectory(options: RunDirectoryOptions): RunDirectory {
  const { config, now } = options;
  const path = config.runDir ?? defaultPath(now(), config.seed);
  const occupied = [CONFIG, METRICS, CHECKPOINTS].find((name) => existsSync(join(path, name)));
  if (occupied !== undefined) throw holdsRun(path, occupied);
  try {
    makeFolder(path);
    // "wx" settles a race: of two runs that start in one folder, the second is refused.
    writeFileSync(join(path, CONFIG), `${JSON.stringify(publicConfig(config), undefined, 2)}\n`, { flag: "wx" });
    makeFolder(join(path, CHECKPOINTS));
  } catch (error) {
    throw systemCode(error) === "EEXIST" && existsSync(join(path, CONFIG))
      ? holdsRun(path, CONFIG)
      : unwritable(path, error);
  }
  return new RunDirectory(path, options);
}

/** A run's folder once it exists. */
export class RunDirectory {
  readonly path: string;
  readonly #metricsPath: string;
  readonly #logEvery: number;
  readonly #now: () => Date;
  readonly #warn: (message: string) => void;
  #buffer = "";
  #flushedAtMs: number;
  #warned = false;

  constructor(path: string, { config, now, warn }: RunDirectoryOptions) {
    this.path = path;
    this.#metricsPath = join(path, METRICS);
    this.#logEvery = config.logEvery;
    this.#now = now;
    this.#warn = warn;
    this.#flushedAtMs = now().getTime();
  }

  /** Where the checkpoint after `step` steps belongs: `checkpoints/step-000938.safetensors`. */
  checkpointPath(step: number): string {
    return join(this.path, CHECKPOINTS, `step-${String(step).padStart(6, "0")}.safetensors`);
  }

  /** Adds a line to `metrics.ndjson` for every epoch and every `logEvery` steps of one. Never throws. */
  record(event: TrainingEvent): void {
    if (event.type === "step") {
      if (event.stepInEpoch % this.#logEvery !== 0) return;
    } else if (event.type !== "epoch") {
      return;
    }
    const time = this.#now();
    this.#buffer += `${JSON.stringify({ time: time.toISOString(), ...event })}\n`;
    const due = this.#buffer.length >= BUFFER_CHARACTERS || time.getTime() - this.#flushedAtMs >= BUFFER_MS;
    if (due || event.type === "epoch") this.#flush(time.getTime());
  }

  /** Writes what is still buffered. */
  close(): void {
    this.#flush(this.#now().getTime());
  }

  #flush(nowMs: number): void {
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

function holdsRun(path: string, file: string): LockstepError {
  return new LockstepError("usage", `--run-dir ${path} already holds a run (${file}); choose another folder`);
}

function unwritable(path: string, error: unknown): LockstepError {
  const message = `cannot make the run folder ${path}: ${messageOf(error)}; choose another with --run-dir`;
  return new LockstepError("usage", message, { cause: error });
}
