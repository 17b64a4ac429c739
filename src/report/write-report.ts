/** Makes `report.html` of what a run left in its folder: the same files give the same report. */

import { join } from "node:path";
import { isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { type Dataset, loadDataset } from "../shared/data/dataset.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { savedSamplesPerStep } from "../shared/samples-per-step.ts";
import { replaceFile } from "../shared/whole-file.ts";
import { classNames } from "./class-names.ts";
import { linesOf } from "./file-lines.ts";
import { LogSummary } from "./log-summary.ts";
import { type HistoryEnd, MetricsHistory } from "./metrics-history.ts";
import { predict } from "./predictions.ts";
import { reportPage } from "./page.ts";
import type { ReportContent, ReportedValidation } from "./report-content.ts";
import { readRun, type RunFiles } from "./run-files.ts";

const REPORT = "report.html";
const WORST = 30;

export interface ReportRequest {
  readonly runDir: string;
  /** The data's folder, where it is another than the run had. */
  readonly data?: string | undefined;
}

export interface WrittenReport {
  readonly path: string;
  /** Sentences that should not go unread. */
  readonly warnings: readonly string[];
}

/**
 * Writes the report of a run, in the place of one that is there.
 *
 * @throws LockstepError `usage` when the folder holds no run; `refused` when a file of it is damaged or missing, or the
 * data are not the run's; `failed` when the report cannot be written
 */
export async function writeReport({ runDir, data }: ReportRequest): Promise<WrittenReport> {
  const run = await readRun(runDir);
  const { checkpoint } = run;
  const folder = data ?? textIn(checkpoint.config, "data");
  const dataset = await loadDataset(folder);
  requireSameData(run, dataset);
  const end = endOf(run, dataset);
  const { test, train } = dataset;
  const log = await readLog(join(runDir, "log.ndjson"));
  const content: ReportContent = {
    run,
    ...{ epochs: Math.max(end.evaluatedEpochs, numberIn(checkpoint.config, "epochs") ?? 0), end },
    data: { name: dataset.name, trainSamples: train.count, testSamples: test.count },
    classes: classNames(folder),
    history: await readMetrics(join(runDir, "metrics.ndjson"), end),
    log,
    predictions: await predict(run.judged.checkpoint.state, test, WORST),
    ...countsOf(run, log),
  };
  const path = join(runDir, REPORT);
  try {
    await replaceFile(path, Buffer.from(reportPage(content)));
  } catch (error) {
    throw new LockstepError("failed", `cannot write the report ${path}: ${messageOf(error)}`, { cause: error });
  }
  return { path, warnings: [...run.notes, ...contradictions(content)] };
}

function requireSameData({ checkpoint, checkpointPath }: RunFiles, { name, digest }: Dataset): void {
  if (checkpoint.dataDigest === digest) return;
  throw new LockstepError(
    "refused",
    `${checkpointPath} was trained on other data than ${name} (digest ${checkpoint.dataDigest.slice(0, 8)}, here ` +
      `${digest.slice(0, 8)}): name the same with --data`,
  );
}

/** What the run itself counted of the judged weights. */
function countsOf({ judged, record }: RunFiles, log: LogSummary): Pick<ReportContent, "runErrors" | "validation"> {
  const { checkpoint, choice } = judged;
  const { progress, step, config } = checkpoint;
  const validation = (errors: number | null): ReportedValidation | undefined => {
    const samples = progress.validation?.samples ?? numberIn(config, "validation");
    return samples === undefined ? undefined : { samples, errors, bestEpoch: progress.validation?.best.epoch };
  };
  if (isJustEvaluated(checkpoint)) {
    return { runErrors: progress.testErrors, validation: validation(progress.validation?.errors ?? null) };
  }
  if (choice === "end" && record !== undefined) {
    return { runErrors: record.testErrors, validation: validation(record.validationErrors) };
  }
  const end = log.endEvaluation(step);
  return { runErrors: end?.testErrors ?? null, validation: validation(end?.validationErrors ?? null) };
}

function endOf({ checkpoint }: RunFiles, { train }: Dataset): HistoryEnd {
  const { step, config, progress } = checkpoint;
  const available = Math.min(train.count, numberIn(config, "limitTrain") ?? train.count);
  const samples = available - (numberIn(config, "validation") ?? 0);
  const stepsPerEpoch = Math.max(1, Math.ceil(samples / (savedSamplesPerStep(config) ?? 1)));
  return { step, stepsPerEpoch, evaluatedEpochs: progress.evaluatedEpochs };
}

async function readMetrics(path: string, end: HistoryEnd): Promise<MetricsHistory> {
  const history = new MetricsHistory(end);
  for await (const { line, number, isWhole } of linesOf(path)) {
    const fault = history.add(line);
    if (fault === undefined || !isWhole) continue;
    throw new LockstepError("refused", `line ${number} of ${path} is damaged (${fault}); remove it to do without it`);
  }
  return history;
}

async function readLog(path: string): Promise<LogSummary> {
  const log = new LogSummary();
  try {
    for await (const { line } of linesOf(path)) log.add(line);
  } catch {
    // Only the table of faults depends on it, and tells what is known without.
  }
  return log;
}

/** Wasm's results are the same bits everywhere: what was counted in the run must be counted again. */
function contradictions({ run, runErrors, predictions }: ReportContent): string[] {
  const { errors } = predictions.confusion;
  if (run.checkpoint.engine !== "wasm" || runErrors === null || errors === runErrors) return [];
  return [
    `${run.judged.path} makes ${errors} test errors here, but made ${runErrors} in the run: one of the two machines ` +
      "does not compute as it should",
  ];
}

function textIn(config: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = config[key];
  return typeof value === "string" ? value : undefined;
}

function numberIn(config: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = config[key];
  return typeof value === "number" && value >= 1 ? value : undefined;
}
