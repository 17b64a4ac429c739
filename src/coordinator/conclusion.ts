import { LockstepError } from "../shared/errors.ts";
import type { TrainingResult } from "../shared/events.ts";
import type { Outcome } from "./machine/types.ts";
import type { RunCheckpoints } from "./run-checkpoints.ts";

interface Ending {
  readonly checkpoints: Pick<RunCheckpoints, "saveLast">;
  /**
   * @param checkpoint the last one's path, or empty
   * @param ending why it was not after all epochs
   */
  readonly result: (checkpoint: string, ending: Pick<TrainingResult, "interruptedBy" | "endedBy">) => TrainingResult;
  /** Tells the result to whoever watches. */
  readonly tell: (result: TrainingResult) => void;
}

/**
 * Ends a run: saves its last state, and makes of its outcome a result or an error. A state that can be saved nowhere is
 * an error too, but the result is told before.
 *
 * @throws LockstepError "not-enough-workers", "diverged" or "failed"
 */
export async function conclude(outcome: Outcome, { checkpoints, result, tell }: Ending): Promise<TrainingResult> {
  if (outcome.type === "diverged") throw new LockstepError("diverged", outcome.message);
  const { path, failure } = await saveLast(checkpoints);
  if (outcome.type === "not-enough-workers") {
    const saved = path === "" ? "" : `; the weights so far are in ${path}`;
    const lost = failure === undefined ? "" : `; ${failure.message}`;
    throw new LockstepError("not-enough-workers", outcome.message + saved + lost);
  }
  const ended = result(path, endingOf(outcome));
  tell(ended);
  if (failure !== undefined) throw failure;
  return ended;
}

function endingOf(
  outcome: Extract<Outcome, { type: "done" | "interrupted" }>,
): Pick<TrainingResult, "interruptedBy" | "endedBy"> {
  if (outcome.type === "interrupted") return { interruptedBy: outcome.signal };
  return outcome.early === undefined ? {} : { endedBy: outcome.early };
}

async function saveLast(
  checkpoints: Ending["checkpoints"],
): Promise<{ readonly path: string; readonly failure?: LockstepError }> {
  try {
    return { path: await checkpoints.saveLast() };
  } catch (thrown) {
    if (!(thrown instanceof LockstepError) || thrown.code !== "failed") throw thrown;
    return { path: "", failure: thrown };
  }
}
