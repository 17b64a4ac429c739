import { describe, expect, test } from "vitest";
import { isJustEvaluated } from "../../src/shared/checkpoint-progress.ts";
import { checkpointOf } from "../support/checkpoints.ts";

/** A checkpoint after so many steps of a run with 640 samples an epoch, of which one was evaluated. */
function evaluated(step: number, config: Record<string, unknown>, epochSamples: number): boolean {
  const progress = { evaluatedEpochs: 1, testErrors: 5, epochSamples };
  return isJustEvaluated(checkpointOf(step, { epoch: 1, config, progress }));
}

describe("a checkpoint is from right after an evaluation", () => {
  test.each([
    ["of batches", { batchSize: 64 }, 10],
    ["of batches that are not accumulated", { batchSize: 64, accumulate: 1 }, 10],
    ["of accumulated batches", { batchSize: 64, accumulate: 4 }, 3],
  ])("where all steps of its epoch are done, %s", (_, config, stepsPerEpoch) => {
    expect(evaluated(stepsPerEpoch, config, 640)).toBe(true);
    expect(evaluated(stepsPerEpoch, config, 0)).toBe(true);
    // In the middle of the second epoch, after its first step.
    expect(evaluated(stepsPerEpoch + 1, config, 640 / 10)).toBe(false);
  });
});
