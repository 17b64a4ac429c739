import { z } from "zod";

/** What a run has come to besides its weights, so that a resumed one reports what an undisturbed one would. */
export interface CheckpointProgress {
  /** Epochs whose evaluation is done: a checkpoint of an epoch's last step may be from before it. */
  readonly evaluatedEpochs: number;
  /** Of the last evaluation, null before the first. */
  readonly testErrors: number | null;
  readonly testSamples: number;
  /** Over the training samples of the epoch under way, or just ended. Sums as float64, in nats; kept exactly. */
  readonly epochLossSum: number;
  readonly epochCorrect: number;
  readonly epochSamples: number;
}

const count = z.int().min(0);

const progress: z.ZodType<CheckpointProgress> = z
  .strictObject({
    evaluatedEpochs: count,
    testErrors: count.nullable(),
    testSamples: count,
    epochLossSum: z.number(),
    epochCorrect: count,
    epochSamples: count,
  })
  .refine(({ evaluatedEpochs, testErrors }) => (evaluatedEpochs === 0) === (testErrors === null), {
    error: "evaluatedEpochs and testErrors contradict each other",
  })
  .refine(({ testErrors, testSamples }) => (testErrors ?? 0) <= testSamples, {
    error: "there are more testErrors than testSamples",
  })
  .refine(({ epochCorrect, epochSamples }) => epochCorrect <= epochSamples, {
    error: "there are more epochCorrect than epochSamples",
  });

/**
 * Checks the progress of a checkpoint.
 *
 * @param epoch epochs completed, of which no more can have been evaluated
 * @returns the progress, or what is wrong with it as a part of a sentence
 */
export function checkProgress(found: unknown, epoch: number): CheckpointProgress | string {
  const { success, data, error } = progress.safeParse(found);
  if (!success) {
    return error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
  }
  if (data.evaluatedEpochs > epoch) return `evaluatedEpochs is ${data.evaluatedEpochs} after ${epoch} epochs`;
  return data;
}

/**
 * Whether a checkpoint is from right after an evaluation, so that its weights are those that were evaluated.
 *
 * In the middle of an epoch fewer steps of it are done than in each of those before; at its end as many, or none where
 * the sums were begun anew.
 */
export function isJustEvaluated(checkpoint: {
  readonly step: number;
  readonly epoch: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly progress: CheckpointProgress;
}): boolean {
  const { step, epoch, config, progress: found } = checkpoint;
  if (found.evaluatedEpochs === 0 || found.evaluatedEpochs !== epoch) return false;
  if (found.epochSamples === 0) return true;
  const { batchSize } = config;
  return typeof batchSize === "number" && step === epoch * Math.ceil(found.epochSamples / batchSize);
}
