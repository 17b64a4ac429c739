/** Which of a run's weights a report is of: the best ones by the validation images, or else the last ones. */

import { join } from "node:path";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import { isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import { LockstepError } from "../shared/errors.ts";
import type { RunRecord } from "../shared/run-record.ts";

export interface JudgedWeights {
  /**
   * `last`: there are no validation images to choose by. `best`: of the epoch with the fewest errors on them. `end`: the
   * last ones, amid an epoch, that had fewer than any epoch's. `instead`: the last ones, since the best cannot be read.
   */
  readonly choice: "last" | "best" | "end" | "instead";
  readonly checkpoint: Checkpoint;
  /** As it is seen from the run's folder, if it lies there. */
  readonly path: string;
  readonly weightsSha256: string;
}

interface Newest {
  readonly checkpoint: Checkpoint;
  readonly path: string;
  /** Of the start that came to it. */
  readonly record: RunRecord | undefined;
}

/** @returns the weights, and a sentence where these are not those that should have been taken */
export async function judgedWeights(
  runDir: string,
  { checkpoint, path, record }: Newest,
): Promise<{ readonly judged: JudgedWeights; readonly note?: string }> {
  const last = (choice: JudgedWeights["choice"]): JudgedWeights => {
    return { choice, checkpoint, path, weightsSha256: stateSha256(checkpoint.state) };
  };
  const { validation } = checkpoint.progress;
  if (record !== undefined && record.validationErrors !== null && record.bestEpoch === null)
    return { judged: last("end") };
  if (validation === undefined) return { judged: last("last") };
  if (isOfEpoch(checkpoint, validation.best.epoch)) return { judged: last("best") };
  const best = await bestCheckpoint(runDir);
  if (typeof best !== "string" && isOfEpoch(best, validation.best.epoch)) {
    const place = { path: "checkpoints/best", weightsSha256: stateSha256(best.state) };
    return { judged: { choice: "best", checkpoint: best, ...place } };
  }
  const problem = typeof best === "string" ? best : `${join(runDir, "checkpoints", "best")} is of another epoch`;
  const note = `${problem}: the report is of the last weights, not of those of epoch ${validation.best.epoch}, the best`;
  return { judged: last("instead"), note };
}

function isOfEpoch(checkpoint: Checkpoint, epoch: number): boolean {
  return checkpoint.progress.evaluatedEpochs === epoch && isJustEvaluated(checkpoint);
}

/** @returns why it cannot be read, if so */
async function bestCheckpoint(runDir: string): Promise<Checkpoint | string> {
  try {
    return await readCheckpoint(join(runDir, "checkpoints", "best"));
  } catch (error) {
    if (error instanceof LockstepError) return error.message;
    throw error;
  }
}
