/** Takes from `metrics.ndjson` what a run will write again when it is continued from a checkpoint. */

import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { temporaryPath } from "../shared/whole-file.ts";

/** What a checkpoint knows of its run. */
export interface RunPosition {
  /** Steps done. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  /** Epochs whose evaluation is done. */
  readonly evaluatedEpochs: number;
}

const CHUNK_BYTES = 2 ** 20;
const LINE_END = "\n".charCodeAt(0);

/**
 * Drops the lines of later steps and of epochs that were not evaluated yet, and what a process left of a line that it
 * could not write whole. The file is replaced in one move; a file that is not there stays so.
 *
 * @throws a system error
 */
export function trimMetrics(path: string, at: RunPosition): void {
  if (!existsSync(path)) return;
  const temporary = temporaryPath(path);
  const from = openSync(path, "r");
  try {
    const to = openSync(temporary, "wx");
    try {
      for (const line of linesOf(from)) if (isKept(line, at)) writeFileSync(to, `${line}\n`);
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
    renameSync(temporary, path);
  } finally {
    closeSync(from);
    rmSync(temporary, { force: true });
  }
}

/** Whether a line is whole and tells of something that the checkpoint knows. */
export function isKept(line: string, { step, stepsPerEpoch, evaluatedEpochs }: RunPosition): boolean {
  let found: Record<string, unknown> | null;
  try {
    found = JSON.parse(line) as Record<string, unknown> | null;
  } catch {
    return false;
  }
  switch (found?.["type"]) {
    case "step":
      return !(Number(found["step"]) > step);
    case "epoch":
      return !(Number(found["epoch"]) > evaluatedEpochs || Number(found["epoch"]) * stepsPerEpoch > step);
    default:
      return true;
  }
}

/** The lines of a file of any length, without their ends. */
function* linesOf(file: number): Generator<string> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
    const bytes = Buffer.concat([rest, chunk.subarray(0, length)]);
    let start = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
      yield bytes.toString("utf8", start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) yield rest.toString("utf8");
}
