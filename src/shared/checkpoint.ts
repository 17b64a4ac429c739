/**
 * A checkpoint: everything that a training run needs in order to go on as if it had never stopped.
 *
 * The file is safetensors. Its tensors carry PyTorch's `state_dict` names for parameters and running statistics, so
 * that `load_state_dict` takes them once `latest.*`, the weights that training goes on from, and `adam.m.*` and
 * `adam.v.*`, Adam's moments, are left out. All else is metadata.
 */

import { createHash } from "node:crypto";
import { type CheckpointProgress, checkProgress } from "./checkpoint-progress.ts";
import { bytesOf, type CheckpointVectors, fillVectors, nonFiniteTensor, tensorsOf } from "./checkpoint-tensors.ts";
import { LockstepError, invariant, messageOf } from "./errors.ts";
import { PARAMETER_COUNT, STATE_COUNT } from "./model/lenet5.ts";
import { decodeTensorFile, encodeTensorFile, encodeValues, type TensorFile } from "./safetensors.ts";

export type { CheckpointProgress } from "./checkpoint-progress.ts";

export interface Checkpoint extends CheckpointVectors {
  readonly formatVersion: 2;
  /** Steps applied. */
  readonly step: number;
  /** Epochs completed. */
  readonly epoch: number;
  readonly seed: number;
  /** Adam's step count, which its bias correction depends on. */
  readonly adamStep: number;
  /** The resolved training configuration; any JSON object. */
  readonly config: Record<string, unknown>;
  /** The data set's `digest`. */
  readonly dataDigest: string;
  /** The engine that computed the gradients. */
  readonly engine: string;
  readonly progress: CheckpointProgress;
}

const FORMAT = "lockstep-checkpoint";
const FORMAT_VERSION = 2;

/** SHA-256, in hexadecimal, over the little-endian float32 values of a state vector: the `weightsSha256` of reports. */
export function stateSha256(state: Float32Array): string {
  return createHash("sha256")
    .update(encodeValues([{ shape: [state.length], values: state }]))
    .digest("hex");
}

/**
 * The content of a checkpoint file. Training waits meanwhile, so each value is looked at, copied and hashed once.
 *
 * @throws LockstepError `diverged` when a value is not finite: such a run cannot go on
 */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const { state, step, progress } = checkpoint;
  const fault =
    nonFiniteTensor(checkpoint) ?? (Number.isFinite(progress.epochLossSum) ? undefined : "the epoch's loss");
  if (fault !== undefined) throw new LockstepError("diverged", `no checkpoint of step ${step}: ${fault} is not finite`);
  const tensors = tensorsOf(checkpoint);
  const data = bytesOf(checkpoint);
  const hash = createHash("sha256").update(data.subarray(0, state.byteLength));
  const weightsSha256 = hash.copy().digest("hex");
  const metadata = new Map([
    ["format", FORMAT],
    ["formatVersion", String(checkpoint.formatVersion)],
    ["step", countText(checkpoint.step)],
    ["epoch", countText(checkpoint.epoch)],
    ["seed", countText(checkpoint.seed)],
    ["adamStep", countText(checkpoint.adamStep)],
    ["config", JSON.stringify(checkpoint.config)],
    ["dataDigest", checkpoint.dataDigest],
    ["engine", checkpoint.engine],
    ["progress", progressText(checkpoint)],
    ["weightsSha256", weightsSha256],
  ]);
  hash.update(data.subarray(state.byteLength)).update(coveredMetadata(metadata));
  metadata.set("sha256", hash.digest("hex"));
  return encodeTensorFile({ metadata, tensors, data });
}

/**
 * Reads the content of a checkpoint file.
 *
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is damaged, of another format, or of another model
 */
export function decodeCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const file = decodeTensorFile(bytes, where);
  requireFormat(file, where);
  const epoch = countIn(file, "epoch", where);
  const checkpoint: Checkpoint = {
    formatVersion: FORMAT_VERSION,
    step: countIn(file, "step", where),
    epoch,
    seed: countIn(file, "seed", where),
    adamStep: countIn(file, "adamStep", where),
    config: configIn(file, where),
    dataDigest: textIn(file, "dataDigest", where),
    engine: textIn(file, "engine", where),
    progress: progressIn(file, epoch, where),
    state: new Float32Array(STATE_COUNT),
    latest: new Float32Array(STATE_COUNT),
    adamM: new Float32Array(PARAMETER_COUNT),
    adamV: new Float32Array(PARAMETER_COUNT),
  };
  fillVectors(checkpoint, file.tensors, where);
  requireSha256("weightsSha256", stateSha256(checkpoint.state), file, where);
  const sha256 = createHash("sha256").update(file.data).update(coveredMetadata(file.metadata)).digest("hex");
  requireSha256("sha256", sha256, file, where);
  return checkpoint;
}

/** What the checksum covers after the tensors' bytes: all other metadata, as JSON pairs sorted by key. */
function coveredMetadata(metadata: ReadonlyMap<string, string>): string {
  return JSON.stringify([...metadata].filter(([key]) => key !== "sha256").sort(([a], [b]) => (a < b ? -1 : 1)));
}

function requireFormat(file: TensorFile, where: string): void {
  const format = file.metadata.get("format");
  if (format !== FORMAT) {
    const found = format === undefined ? "no format" : `format ${JSON.stringify(format)}`;
    throw refuse(
      `${where} is a safetensors file of something else: its metadata has ${found}, expected "${FORMAT}"; ` +
        "use a checkpoint that lockstep wrote",
    );
  }
  const version = countIn(file, "formatVersion", where);
  if (version > FORMAT_VERSION) {
    throw refuse(
      `${where} has checkpoint format ${version}, but this lockstep knows formats up to ${FORMAT_VERSION}; update it`,
    );
  }
  if (version === 1) {
    throw refuse(
      `${where} was written by an earlier lockstep: it has checkpoint format 1, this one reads format ` +
        `${FORMAT_VERSION}; use it with the lockstep that wrote it, or train anew`,
    );
  }
  if (version < FORMAT_VERSION) throw damaged(where, `checkpoint format ${version} never existed`);
}

function requireSha256(key: "sha256" | "weightsSha256", found: string, file: TensorFile, where: string): void {
  const expected = textIn(file, key, where);
  if (found !== expected) throw damaged(where, `its ${key} should be ${expected} but is ${found}`);
}

function textIn(file: TensorFile, key: string, where: string): string {
  const text = file.metadata.get(key);
  if (text === undefined) throw damaged(where, `its metadata has no ${key}`);
  return text;
}

function countText(count: number): string {
  invariant(Number.isSafeInteger(count) && count >= 0, `${count} in a checkpoint is not a whole number`);
  return String(count);
}

function countIn(file: TensorFile, key: string, where: string): number {
  const text = textIn(file, key, where);
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw damaged(where, `its ${key} is ${JSON.stringify(text)}, expected a whole number`);
  }
  return count;
}

function configIn(file: TensorFile, where: string): Record<string, unknown> {
  const config = jsonIn(file, "config", where);
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw damaged(where, "its config is not a JSON object");
  }
  return config as Record<string, unknown>;
}

function progressIn(file: TensorFile, epoch: number, where: string): CheckpointProgress {
  const progress = checkProgress(jsonIn(file, "progress", where), epoch);
  if (typeof progress === "string") throw damaged(where, `its progress is not valid (${progress})`);
  return progress;
}

function progressText({ progress, epoch }: Checkpoint): string {
  const checked = checkProgress(progress, epoch);
  invariant(typeof checked !== "string", `the progress in a checkpoint: ${JSON.stringify(checked)}`);
  return JSON.stringify(progress);
}

function jsonIn(file: TensorFile, key: string, where: string): unknown {
  try {
    return JSON.parse(textIn(file, key, where));
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    throw damaged(where, `its ${key} is not JSON (${messageOf(error)})`);
  }
}

function damaged(where: string, fault: string): LockstepError {
  return refuse(`${where} is damaged: ${fault}; use the checkpoint before it`);
}

function refuse(message: string): LockstepError {
  return new LockstepError("refused", message);
}
