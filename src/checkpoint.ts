/**
 * `lockstep/checkpoint`: reads and writes the checkpoints of a training run, which are safetensors files.
 *
 *     const checkpoint = await readCheckpoint("runs/first/checkpoints/step-000938.safetensors");
 *     const { offset, size } = tensor("fc3.bias");
 *     checkpoint.state.subarray(offset, offset + size);
 */

export { decodeCheckpoint, encodeCheckpoint, stateSha256 } from "./shared/checkpoint.ts";
export type { Checkpoint, CheckpointProgress } from "./shared/checkpoint.ts";
export { readCheckpoint, writeCheckpoint } from "./shared/checkpoint-file.ts";
export { PARAMETERS, PARAMETER_COUNT, STATE_COUNT, STATISTICS, tensor } from "./shared/model/lenet5.ts";
export type { TensorSpec } from "./shared/model/lenet5.ts";
export { LockstepError } from "./shared/errors.ts";
export type { ErrorCode } from "./shared/errors.ts";
