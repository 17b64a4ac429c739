import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { RunTally } from "../../src/coordinator/run-tally.ts";
import { writeReport } from "../../src/report/write-report.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import { DATA_FILES, loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages, encodeLabels } from "../../src/shared/data/idx.ts";
import type { Split } from "../../src/shared/data/split.ts";
import type { TrainingEvent, TrainingResult } from "../../src/shared/events.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { finished } from "../coordinator/training-events.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";

/** A made-up run of weights that were never trained, on noise: 20 steps in two epochs. */

/** The run's folder, that of its data, and the one that both are in. */
export const places = { runDir: "", data: "", folder: "" };

/** Each test of the file has a new folder. */
export function useMadeUpRun(): void {
  beforeEach(() => {
    places.folder = mkdtempSync(join(tmpdir(), "lockstep-report-"));
    places.runDir = join(places.folder, "a <b>run");
    places.data = join(places.folder, "noise");
    mkdirSync(join(places.runDir, "checkpoints"), { recursive: true });
    mkdirSync(places.data);
  });
  afterEach(() => rmSync(places.folder, { recursive: true }));
}

export function writeData(testCount: number, seed = 1): void {
  const { train, test: tested } = syntheticDataset(640, testCount, seed);
  const put = (split: Split, images: string, labels: string): void => {
    writeFileSync(join(places.data, images), encodeImages(split.pixels));
    writeFileSync(join(places.data, labels), encodeLabels(split.labels));
  };
  put(train, DATA_FILES.trainImages, DATA_FILES.trainLabels);
  put(tested, DATA_FILES.testImages, DATA_FILES.testLabels);
}

export async function writeRun({ testErrors = 0, epochs = 2 } = {}): Promise<void> {
  writeFileSync(join(places.runDir, "config.json"), "{}");
  const checkpoint = checkpointOf(20, {
    ...{
      epoch: 2,
      dataDigest: (await loadDataset(places.data)).digest,
      config: { epochs, batchSize: 64, data: places.data },
    },
    progress: { evaluatedEpochs: 2, testErrors, testSamples: 200, epochSamples: 640 },
  });
  await writeCheckpoint(join(places.runDir, "checkpoints", "step-000020.safetensors"), checkpoint);
}

export function writeResult(changes: Partial<TrainingResult> = {}, events: readonly TrainingEvent[] = []): void {
  const ended = finished({
    steps: 20,
    epochs: 2,
    weightsSha256: stateSha256(initialState(1)),
    runDir: places.runDir,
    ...changes,
  });
  if (ended.type !== "finished") throw new Error("not the event that was asked for");
  const tally = new RunTally("2026-01-31T12:00:00.000Z");
  for (const event of events) tally.record(event);
  const software = { lockstep: "1.2.3", node: "v20.19.0", system: "linux x64" };
  const record = tally.concluded(ended.result, software, "2026-01-31T13:00:00.000Z", undefined);
  writeFileSync(join(places.runDir, "result.json"), JSON.stringify(record));
}

export function writeMetrics(...lines: (TrainingEvent | string)[]): void {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify({ time: "t", ...line })));
  writeFileSync(join(places.runDir, "metrics.ndjson"), texts.join("\n"));
}

export async function report(): Promise<{ page: string; warnings: readonly string[] }> {
  const { path, warnings } = await writeReport({ runDir: places.runDir });
  expect(path).toBe(join(places.runDir, "report.html"));
  return { page: readFileSync(path, "utf8").replaceAll(/\s+/g, " "), warnings };
}

/** As the network itself counts them: an error in all but the images that happen to be right. */
export async function errorsOf(): Promise<number> {
  const [, errors] = /class="verdict">.*?(\d+) errors\./.exec((await report()).page) ?? [];
  return Number(errors);
}
