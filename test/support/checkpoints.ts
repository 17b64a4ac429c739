import type { Checkpoint, CheckpointProgress } from "../../src/shared/checkpoint.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";

const STATE = initialState(1);
const MOMENTS = new Float32Array(PARAMETER_COUNT).fill(0.5);

/** A checkpoint that can be written, of a made-up run. */
export function checkpointOf(
  step: number,
  {
    progress,
    ...changes
  }: Partial<Omit<Checkpoint, "progress">> & { readonly progress?: Partial<CheckpointProgress> } = {},
): Checkpoint {
  return {
    ...{ formatVersion: 2, step, epoch: 0, seed: 1, adamStep: step, config: {}, dataDigest: "d", engine: "wasm" },
    ...{ state: STATE, latest: STATE, adamM: MOMENTS, adamV: MOMENTS },
    ...changes,
    progress: {
      ...{ evaluatedEpochs: 0, testErrors: null, testSamples: 10_000 },
      ...{ epochLossSum: 0, epochCorrect: 0, epochSamples: 0 },
      ...progress,
    },
  };
}

/** One of an epoch's end, after its evaluation; epochs have ten steps. */
export function evaluatedCheckpoint(epoch: number, testErrors: number, changes: Partial<Checkpoint> = {}): Checkpoint {
  return checkpointOf(epoch * 10, { epoch, ...changes, progress: { evaluatedEpochs: epoch, testErrors } });
}
