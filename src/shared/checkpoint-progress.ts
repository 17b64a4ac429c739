import { z } from "zod";
import { savedSamplesPerStep } from "./samples-per-step.ts";

/** What a run has come to besides its weights, so that a resumed one reports what an undisturbed one would. */
export interface CheckpointProgress {
  /** Epochs whose evaluation is done: a checkpoint of an epoch's last step may be from before it. */
  readonly evaluatedEpochs: number;
  /** Of the last evaluation, null before the first. */
  readonly testErrors: number | null;
  readonly testSamples: number;
  /** Where images are held out for validation, after the first evaluation. */
  readonly validation?: ValidationProgress;
  /** Over the training samples of the epoch under way, or just ended. Sums as float64, in nats; kept exactly. */
  readonly epochLossSum: number;
  readonly epochCorrect: number;
  readonly epochSamples: number;
}

/** What the validation images have told so far. */
export interface ValidationProgress {
  /** Validation images. */
  readonly samples: number;
  /** Of the last evaluation. */
  readonly errors: number;
  /** The epoch, from 1, after which the fewest of them were wrong; of equals the first. */
  readonly best: { readonly epoch: number; readonly errors: number; readonly testErrors: number };
}

const count = z.int().min(0);

const validation = z
  .strictObject({
    samples: count,
    errors: count,
    best: z.strictObject({ epoch: z.int().min(1), errors: count, testErrors: count }),
  })
  .refine(({ samples, errors, best }) => best.errors <= errors && errors <= samples, {
    error: "samples, errors and the best epoch's contradict each other",
  });

const progress: z.ZodType<CheckpointProgress> = z
  .strictObject({
    evaluatedEpochs: count,
    testErrors: count.nullable(),
    testSamples: count,
    validation: validation.exactOptional(),
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
  .refine(({ evaluatedEpochs, validation: found }) => (found?.best.epoch ?? 0) <= evaluatedEpochs, {
    error: "the best epoch was not evaluated",
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

/** What the evaluated weights are judged by: errors on validation images where there are any, or else on test images. */
export function decidingErrors({ validation: found, testErrors }: CheckpointProgress): number | undefined {
  return found?.errors ?? testErrors ?? undefined;
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
  const samples = savedSamplesPerStep(config);
  return samples !== undefined && step === epoch * Math.ceil(found.epochSamples / samples);
}
