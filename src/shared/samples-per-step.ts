/** How many samples make one step. Pure. */

interface StepSize {
  readonly batchSize: number;
  readonly accumulate: number;
}

/**
 * Samples in a step, all but an epoch's last: `accumulate` batches of `batchSize`. Nothing else depends on either of the
 * two, so that accumulated batches come, to the last bit, to what one batch so many times as large does.
 */
export function samplesPerStep({ batchSize, accumulate }: StepSize): number {
  return batchSize * accumulate;
}

/** The same of a saved configuration; one of an older lockstep, which did not accumulate, has `batchSize` alone. */
export function savedSamplesPerStep(config: Readonly<Record<string, unknown>>): number | undefined {
  const { batchSize, accumulate = 1 } = config;
  if (typeof batchSize !== "number" || typeof accumulate !== "number") return undefined;
  return samplesPerStep({ batchSize, accumulate });
}
