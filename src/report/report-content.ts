import type { RunStart } from "../shared/run-record.ts";
import { isJustEvaluated } from "../shared/checkpoint-progress.ts";
import type { LogSummary } from "./log-summary.ts";
import type { HistoryEnd, MetricsHistory } from "./metrics-history.ts";
import type { Predictions } from "./predictions.ts";
import type { RunFiles } from "./run-files.ts";

/** All that a report tells. */
export interface ReportContent {
  readonly run: RunFiles;
  /** Of the whole run, as it was meant to be. */
  readonly epochs: number;
  readonly end: HistoryEnd;
  readonly data: { readonly name: string; readonly trainSamples: number; readonly testSamples: number };
  /** Names of the classes, [10]. */
  readonly classes: readonly string[];
  readonly history: MetricsHistory;
  readonly log: LogSummary;
  /** Of the judged weights. */
  readonly predictions: Predictions;
  /** Test errors of these very weights, as counted in the run; null where they were not evaluated then. */
  readonly runErrors: number | null;
  /** Where images are held out for validation, after the first evaluation. */
  readonly validation: ReportedValidation | undefined;
}

export interface ReportedValidation {
  readonly samples: number;
  /** Of the judged weights; null where they were not evaluated. */
  readonly errors: number | null;
  /** The epoch, from 1, with the fewest errors; of equals the first. Undefined before the first epoch was evaluated. */
  readonly bestEpoch: number | undefined;
}

/** How a run ended, as far as its files tell. */
export type Ending =
  | { readonly type: "complete" }
  /** By early stopping: no epoch since the best one was better. */
  | { readonly type: "out of patience"; readonly bestEpoch: number }
  /** As long as it was told to take at most. */
  | { readonly type: "out of time" }
  | { readonly type: "interrupted"; readonly signal: string }
  /** It was killed, failed, or goes on. */
  | { readonly type: "unfinished" };

export function endingOf({ run, epochs, end }: Pick<ReportContent, "run" | "epochs" | "end">): Ending {
  if (end.evaluatedEpochs >= epochs) return { type: "complete" };
  const { config, progress } = run.checkpoint;
  const [patience, bestEpoch] = [config["patience"], progress.validation?.best.epoch];
  const isAtEpochsEnd = isJustEvaluated(run.checkpoint);
  if (isAtEpochsEnd && typeof patience === "number" && bestEpoch && end.evaluatedEpochs - bestEpoch >= patience) {
    return { type: "out of patience", bestEpoch };
  }
  if (run.record?.endedBy === "time") return { type: "out of time" };
  const signal = run.record?.interruptedBy;
  return signal === undefined ? { type: "unfinished" } : { type: "interrupted", signal };
}

/** The starts of a run that ended in good order, the oldest first, and whether there were no others before the last. */
export function knownStarts({ record, earlierRecord }: ReportContent["run"]): {
  starts: RunStart[];
  areAll: boolean;
} {
  const last = record ?? earlierRecord;
  if (last === undefined) return { starts: [], areAll: false };
  const starts: RunStart[] = [...last.earlier, last];
  const areAll = starts.every(({ resumedFrom }, i) => (resumedFrom ?? 0) === (starts[i - 1]?.steps ?? 0));
  return { starts, areAll: areAll && record !== undefined };
}
