/** Reads what a run has left in its folder. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { findCheckpoint } from "../coordinator/checkpoint-store.ts";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { parseRunRecord, type RunRecord } from "../shared/run-record.ts";
import { type JudgedWeights, judgedWeights } from "./judged-weights.ts";

export interface RunFiles {
  /** The folder's own name. */
  readonly name: string;
  readonly checkpoint: Checkpoint;
  /** As it is seen from the folder, if it lies there. */
  readonly checkpointPath: string;
  readonly weightsSha256: string;
  /** The weights that the report is of. */
  readonly judged: JudgedWeights;
  /** Of the start that came to this checkpoint; undefined where it did not end in good order. */
  readonly record: RunRecord | undefined;
  /** Of an earlier start, after which the run went on. */
  readonly earlierRecord: RunRecord | undefined;
  /** Sentences: what could not be used. */
  readonly notes: readonly string[];
}

/**
 * @throws LockstepError `usage` when the folder is none or of no run; `refused` when no checkpoint can be used, or
 * `result.json` is damaged
 */
export async function readRun(runDir: string): Promise<RunFiles> {
  requireRun(runDir);
  const record = readRecord(join(runDir, "result.json"));
  const { path, checkpoint, refused } = await newestCheckpoint(runDir, record);
  const weightsSha256 = stateSha256(checkpoint.state);
  const isOfRecord = record?.weightsSha256 === weightsSha256;
  const own = isOfRecord ? record : undefined;
  const checkpointPath = path.startsWith(join(runDir, "checkpoints")) ? `checkpoints/${basename(path)}` : path;
  const { judged, note } = await judgedWeights(runDir, { checkpoint, path: checkpointPath, record: own });
  return {
    name: basename(resolve(runDir)),
    ...{ checkpoint, checkpointPath, weightsSha256, judged },
    record: own,
    earlierRecord: isOfRecord ? undefined : record,
    notes: [...refused, ...(note === undefined ? [] : [note])],
  };
}

function requireRun(runDir: string): void {
  const stats = statSync(runDir, { throwIfNoEntry: false });
  const hint = "name the folder of a run, such as one in runs/";
  if (stats === undefined) throw new LockstepError("usage", `--run-dir ${runDir} does not exist; ${hint}`);
  if (!stats.isDirectory()) throw new LockstepError("usage", `--run-dir ${runDir} is no folder; ${hint}`);
  if (["config.json", "checkpoints"].some((name) => existsSync(join(runDir, name)))) return;
  throw new LockstepError("usage", `--run-dir ${runDir} holds no run: config.json is not there; ${hint}`);
}

interface Newest {
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly refused: readonly string[];
}

/** The newest in the folder, unless the run's end was saved elsewhere because the folder did not take it. */
async function newestCheckpoint(runDir: string, record: RunRecord | undefined): Promise<Newest> {
  const folder = join(runDir, "checkpoints");
  const found = await findCheckpoint(folder);
  if (record !== undefined && record.steps > (found?.checkpoint.step ?? -1) && existsSync(record.checkpoint)) {
    const elsewhere = await readCheckpoint(record.checkpoint);
    if (stateSha256(elsewhere.state) === record.weightsSha256) {
      return { path: record.checkpoint, checkpoint: elsewhere, refused: found?.refused ?? [] };
    }
  }
  if (found !== undefined) return found;
  throw new LockstepError(
    "refused",
    `${folder} holds no checkpoint, which a report is made from; the run saves one after each epoch and at its end`,
  );
}

function readRecord(path: string): RunRecord | undefined {
  if (!existsSync(path)) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new LockstepError("refused", `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  const found = parseRunRecord(text);
  if (typeof found !== "string") return found;
  throw new LockstepError("refused", `${path} is damaged (${found}); move it away to do without it`);
}
