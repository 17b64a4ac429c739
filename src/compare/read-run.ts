/** Reads what a run has left in its folder, as far as it is compared. */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { linesOf } from "../report/file-lines.ts";
import { type EpochRow, MetricsHistory } from "../report/metrics-history.ts";
import { messageOf, systemCode } from "../shared/errors.ts";
import { parseRunRecord, type RunRecord } from "../shared/run-record.ts";
import { ActiveTime } from "./active-time.ts";
import type { ComparedRun, RunEnding, RunFigures } from "./compared-run.ts";
import { comparedOptions } from "./run-options.ts";

/** A run has no more epochs and steps than this: all that was logged is told. */
const NO_END = { step: Number.MAX_SAFE_INTEGER, evaluatedEpochs: Number.MAX_SAFE_INTEGER, stepsPerEpoch: 1 };

/**
 * The run in a folder, also one that goes on, was killed or failed. Damaged files but for `config.json` cost what they
 * hold, and a note.
 *
 * @returns what is wrong with the folder, as a part of a sentence, where it holds no run that can be read
 */
export async function readComparedRun(runDir: string, name: string): Promise<ComparedRun | string> {
  const config = readConfig(runDir);
  if (typeof config === "string") return config;
  const notes: string[] = [];
  const history = await readHistory(join(runDir, "metrics.ndjson"), notes);
  const time = await readTime(join(runDir, "log.ndjson"));
  const found = readRecord(join(runDir, "result.json"), notes);
  const record = found !== undefined && isOfLastStart(found, time) ? found : undefined;
  const rows = history.epochs();
  return {
    ...{ name, runDir, notes, options: comparedOptions(config) },
    ending: endingOf(record, rows, time, config),
    figures: figuresOf(record, rows, time),
    course: rows.map(({ epoch, testAccuracy, validationAccuracy, trainLoss }) => {
      return { epoch, testAccuracy, validationAccuracy, trainLoss, seconds: time.untilEpoch(epoch) };
    }),
  };
}

function readConfig(runDir: string): Readonly<Record<string, unknown>> | string {
  const stats = statSync(runDir, { throwIfNoEntry: false });
  if (stats === undefined) return "does not exist";
  if (!stats.isDirectory()) return "is no folder";
  const path = join(runDir, "config.json");
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof found === "object" && found !== null && !Array.isArray(found)) return { ...found };
    return "is damaged: its config.json holds no options";
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "holds no run: config.json is not there";
    return `is damaged: its config.json cannot be read (${messageOf(error).replaceAll(/\s+/g, " ")})`;
  }
}

async function readHistory(path: string, notes: string[]): Promise<MetricsHistory> {
  const history = new MetricsHistory(NO_END);
  let damaged = 0;
  try {
    for await (const { line, isWhole } of linesOf(path)) {
      if (history.add(line) !== undefined && isWhole) damaged += 1;
    }
  } catch (error) {
    notes.push(messageOf(error));
  }
  if (damaged > 0) notes.push(`${path} has damaged lines, which were passed over: ${damaged}`);
  return history;
}

async function readTime(path: string): Promise<ActiveTime> {
  const time = new ActiveTime();
  try {
    for await (const { line } of linesOf(path)) time.add(line);
  } catch {
    // Without the log the curves against time are missing, and nothing else.
  }
  return time;
}

function readRecord(path: string, notes: string[]): RunRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") notes.push(`cannot read ${path}: ${messageOf(error)}`);
    return undefined;
  }
  const found = parseRunRecord(text);
  if (typeof found !== "string") return found;
  notes.push(`${path} is damaged (${found}) and was passed over`);
  return undefined;
}

/** A run that was resumed, and then killed, still has the result of the start before. */
function isOfLastStart({ endedAt }: RunRecord, { lastStart }: ActiveTime): boolean {
  return lastStart === undefined || !(Date.parse(lastStart) > Date.parse(endedAt));
}

function endingOf(
  record: RunRecord | undefined,
  rows: readonly EpochRow[],
  time: ActiveTime,
  { epochs }: Readonly<Record<string, unknown>>,
): RunEnding {
  if (record?.interruptedBy !== undefined) return { type: "interrupted", signal: record.interruptedBy };
  if (time.failure !== undefined) return { type: "failed", message: time.failure };
  if (record?.endedBy !== undefined) return { type: "early", by: record.endedBy };
  if (record !== undefined) return { type: "complete" };
  // Killed after its last epoch, before it could write its result.
  const isWhole = typeof epochs === "number" && rows.at(-1)?.epoch === epochs;
  return { type: isWhole ? "complete" : "unfinished" };
}

function figuresOf(record: RunRecord | undefined, rows: readonly EpochRow[], time: ActiveTime): RunFigures {
  const last = rows.at(-1);
  const best = firstBest(rows, ({ testAccuracy }) => testAccuracy);
  const chosen = firstBest(rows, ({ validationAccuracy }) => validationAccuracy);
  return {
    testAccuracy: record?.testAccuracy ?? (chosen ?? last)?.testAccuracy ?? null,
    validationAccuracy: record === undefined ? (chosen?.validationAccuracy ?? null) : record.validationAccuracy,
    validationEpoch: record === undefined ? (chosen?.epoch ?? null) : record.bestEpoch,
    bestTestAccuracy: best?.testAccuracy ?? record?.testAccuracy ?? null,
    bestEpoch: best?.epoch ?? null,
    trainLoss: record?.trainLoss ?? last?.trainLoss ?? null,
    epochs: record?.epochs ?? last?.epoch ?? 0,
    seconds: (record === undefined ? null : secondsOf(record)) ?? time.total(),
    samplesPerSecond: record?.samplesPerSecond ?? last?.samplesPerSecond ?? null,
    engine: record?.engine ?? null,
    weightsSha256: record?.weightsSha256 ?? null,
  };
}

/** The row with the highest of these values; of equals the first. */
function firstBest(rows: readonly EpochRow[], value: (row: EpochRow) => number | null): EpochRow | undefined {
  let best: EpochRow | undefined;
  for (const row of rows) {
    const found = value(row);
    if (found !== null && found > ((best && value(best)) ?? -1)) best = row;
  }
  return best;
}

/** Of all starts; null where some are not known, since they did not end in good order. */
function secondsOf({ trainSeconds, resumedFrom, earlier }: RunRecord): number | null {
  const starts = [...earlier, { resumedFrom, trainSeconds, steps: 0 }];
  const areAll = starts.every((start, i) => (start.resumedFrom ?? 0) === (starts[i - 1]?.steps ?? 0));
  return areAll ? starts.reduce((sum, start) => sum + start.trainSeconds, 0) : null;
}
