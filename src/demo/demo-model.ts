import { basename, dirname, resolve } from "node:path";
import { classNames } from "../report/class-names.ts";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import { isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import { loadDataset } from "../shared/data/dataset.ts";
import { LockstepError } from "../shared/errors.ts";
import type { ModelCard } from "./page/model-card.ts";
import { NO_SAMPLES, sampleImages, type SampleImages } from "./sample-images.ts";

/** What the page gets to know. */
export interface DemoModel {
  readonly card: ModelCard;
  /** Parameters, then running statistics, as in the checkpoint. */
  readonly state: Float32Array;
  readonly samples: SampleImages;
  /** Sentences for whoever started it. */
  readonly notes: readonly string[];
}

export interface DemoModelOptions {
  readonly checkpoint: string;
  /** A folder of IDX files; that of the run, or MNIST, unless told. */
  readonly data?: string | undefined;
}

/** Images of each class to try. */
const SAMPLE_SETS = 12;

/**
 * Reads a checkpoint, and some test images of its data. A run's data that are gone cost a note; those that somebody has
 * named have to be there.
 *
 * @throws LockstepError `refused`
 */
export async function openDemoModel({ checkpoint: path, data }: DemoModelOptions): Promise<DemoModel> {
  const checkpoint = await readCheckpoint(path);
  const folder = data ?? folderOf(checkpoint);
  const names = classNames(folder);
  const notes: string[] = [];
  let samples = NO_SAMPLES;
  try {
    const dataset = await loadDataset(folder);
    samples = sampleImages(dataset.test, SAMPLE_SETS);
    if (dataset.digest !== checkpoint.dataDigest) {
      notes.push(`the checkpoint was trained on other data than ${dataset.name}`);
    }
  } catch (error) {
    if (data !== undefined || !(error instanceof LockstepError)) throw error;
    notes.push(`the page shows no test images: ${error.message}`);
  }
  return { card: cardOf(path, checkpoint, names, samples), state: checkpoint.state, samples, notes };
}

function cardOf(path: string, checkpoint: Checkpoint, names: readonly string[], samples: SampleImages): ModelCard {
  const { step, epoch, progress, state } = checkpoint;
  const { testErrors, testSamples } = progress;
  const isMeasured = testErrors !== null && testSamples > 0 && isJustEvaluated(checkpoint);
  return {
    ...{ run: runOf(path), checkpoint: path, step, epoch, weightsSha256: stateSha256(state) },
    testAccuracy: isMeasured ? (testSamples - testErrors) / testSamples : null,
    ...{ classNames: names, sampleLabels: samples.labels },
  };
}

function folderOf({ config: { data } }: Checkpoint): string | undefined {
  return typeof data === "string" ? data : undefined;
}

/** A run's checkpoints lie in a folder of this name within it. */
function runOf(path: string): string | null {
  const folder = dirname(resolve(path));
  return basename(folder) === "checkpoints" ? basename(dirname(folder)) : null;
}
