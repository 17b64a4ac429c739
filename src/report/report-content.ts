import type { RunStart } from "../shared/run-record.ts";
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
  readonly predictions: Predictions;
  /** Test errors of these very weights, as counted in the run; null where they were not evaluated then. */
  readonly runErrors: number | null;
}

/** How a run ended, as far as its files tell. */
export type Ending =
  | { readonly type: "complete" }
  | { readonly type: "interrupted"; readonly signal: string }
  /** It was killed, failed, or goes on. */
  | { readonly type: "unfinished" };

export function endingOf({ run, epochs, end }: Pick<ReportContent, "run" | "epochs" | "end">): Ending {
  if (end.evaluatedEpochs >= epochs) return { type: "complete" };
  const signal = run.record?.interruptedBy;
  return signal === undefined ? { type: "unfinished" } : { type: "interrupted", signal };
}

/** The starts of a run that ended in good order, the oldest first, and whether there were no others before the last. */
export function knownStarts({ record, earlierRecord }: ReportContent["run"]): { starts: RunStart[]; areAll: boolean } {
  const last = record ?? earlierRecord;
  if (last === undefined) return { starts: [], areAll: false };
  const starts = [...last.earlier, last];
  const areAll = starts.every(({ resumedFrom }, i) => (resumedFrom ?? 0) === (starts[i - 1]?.steps ?? 0));
  return { starts, areAll: areAll && record !== undefined };
}
