/**
 * A checkpoint: everything that a training run needs in order to go on as if it had never stopped.
 *
 * The file is safetensors. Its tensors carry PyTorch's `state_dict` names for parameters and running statistics, so
 * that `load_state_dict` takes them once `latest.*`, the weights that training goes on from, and `adam.m.*` and
 * `adam.v.*`, Adam's moments, are left out. All else is metadata.
 */

import { createHash } from "node:crypto";
import { LockstepError, invariant, messageOf } from "./errors.ts";
import { PARAMETERS, PARAMETER_COUNT, STATE_COUNT, STATISTICS, type TensorSpec } from "./model/lenet5.ts";
import { decodeTensorFile, encodeTensorFile, encodeValues, type Tensor, type TensorFile } from "./safetensors.ts";

export interface Checkpoint {
  readonly formatVersion: 1;
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
  /** [STATE_COUNT] parameters, then running statistics, in table order: the average over the steps, which one uses. */
  readonly state: Float32Array;
  /** [STATE_COUNT] the same after the last step, not averaged. */
  readonly latest: Float32Array;
  /** [PARAMETER_COUNT] Adam's first moments. */
  readonly adamM: Float32Array;
  /** [PARAMETER_COUNT] Adam's second moments. */
  readonly adamV: Float32Array;
}

const FORMAT = "lockstep-checkpoint";
const FORMAT_VERSION = 1;
/** Missing tensors that an error names before it only counts them. */
const NAMED_TENSORS = 3;

/** SHA-256, in hexadecimal, over the little-endian float32 values of a state vector: the `weightsSha256` of reports. */
export function stateSha256(state: Float32Array): string {
  return createHash("sha256")
    .update(encodeValues([{ shape: [state.length], values: state }]))
    .digest("hex");
}

/**
 * The content of a checkpoint file.
 *
 * @throws LockstepError `diverged` when a value is not finite: such a run cannot go on
 */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, Tensor>();
  for (const { name, spec, vector } of placesIn(checkpoint)) {
    const values = vector.subarray(spec.offset, spec.offset + spec.size);
    if (!allFinite(values)) {
      throw new LockstepError("diverged", `no checkpoint of step ${checkpoint.step}: ${name} is not finite`);
    }
    tensors.set(name, { shape: spec.shape, values });
  }
  const data = encodeValues(tensors.values());
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
    ["weightsSha256", stateSha256(checkpoint.state)],
  ]);
  metadata.set("sha256", checksum(metadata, data));
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
  const checkpoint: Checkpoint = {
    formatVersion: FORMAT_VERSION,
    step: countIn(file, "step", where),
    epoch: countIn(file, "epoch", where),
    seed: countIn(file, "seed", where),
    adamStep: countIn(file, "adamStep", where),
    config: configIn(file, where),
    dataDigest: textIn(file, "dataDigest", where),
    engine: textIn(file, "engine", where),
    state: new Float32Array(STATE_COUNT),
    latest: new Float32Array(STATE_COUNT),
    adamM: new Float32Array(PARAMETER_COUNT),
    adamV: new Float32Array(PARAMETER_COUNT),
  };
  const places = placesIn(checkpoint);
  requireTensors(file, new Set(places.map(({ name }) => name)), where);
  for (const { name, spec, vector } of places) {
    const found = file.tensors.get(name)!;
    if (String(found.shape) !== String(spec.shape)) {
      throw refuse(
        `${where} is of another model: ${name} has shape [${found.shape.join(", ")}], expected ` +
          `[${spec.shape.join(", ")}]; use a checkpoint that lockstep wrote`,
      );
    }
    if (!allFinite(found.values)) {
      throw refuse(`${where}: ${name} holds values that are not finite; use the checkpoint before it`);
    }
    vector.set(found.values, spec.offset);
  }
  requireSha256("weightsSha256", stateSha256(checkpoint.state), file, where);
  requireSha256("sha256", checksum(file.metadata, file.data), file, where);
  return checkpoint;
}

/** A tensor of the file and its place in one of the checkpoint's vectors. */
interface Place {
  readonly name: string;
  readonly spec: TensorSpec;
  readonly vector: Float32Array;
}

/** All tensors of a checkpoint, in the order of the file. */
function placesIn({ state, latest, adamM, adamV }: Checkpoint): Place[] {
  invariant(state.length === STATE_COUNT, `a state of ${state.length} values`);
  invariant(latest.length === STATE_COUNT, `a latest state of ${latest.length} values`);
  invariant(adamM.length === PARAMETER_COUNT, `${adamM.length} first moments`);
  invariant(adamV.length === PARAMETER_COUNT, `${adamV.length} second moments`);
  return [
    ...[...PARAMETERS, ...STATISTICS].map((spec) => ({ name: spec.name, spec, vector: state })),
    ...[...PARAMETERS, ...STATISTICS].map((spec) => ({ name: `latest.${spec.name}`, spec, vector: latest })),
    ...PARAMETERS.map((spec) => ({ name: `adam.m.${spec.name}`, spec, vector: adamM })),
    ...PARAMETERS.map((spec) => ({ name: `adam.v.${spec.name}`, spec, vector: adamV })),
  ];
}

/** SHA-256 over all other metadata, as JSON pairs sorted by key, and then all tensor bytes. */
function checksum(metadata: ReadonlyMap<string, string>, data: Uint8Array): string {
  const covered = [...metadata].filter(([key]) => key !== "sha256").sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(covered)).update(data).digest("hex");
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
  if (version < FORMAT_VERSION) throw damaged(where, `checkpoint format ${version} never existed`);
}

function requireTensors({ tensors }: TensorFile, expected: ReadonlySet<string>, where: string): void {
  const missing = [...expected].filter((name) => !tensors.has(name));
  const unknown = [...tensors.keys()].filter((name) => !expected.has(name));
  const faults: string[] = [];
  if (missing.length > 0) faults.push(`lacks ${listed(missing)}`);
  if (unknown.length > 0) faults.push(`has the unknown ${listed(unknown)}`);
  if (faults.length === 0) return;
  throw refuse(`${where} is of another model: it ${faults.join(" and ")}; use a checkpoint that lockstep wrote`);
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, NAMED_TENSORS).join(", ");
  return names.length > NAMED_TENSORS ? `${named} and ${names.length - NAMED_TENSORS} more tensors` : named;
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
  const text = textIn(file, "config", where);
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw damaged(where, `its config is not JSON (${messageOf(error)})`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw damaged(where, "its config is not a JSON object");
  }
  return config as Record<string, unknown>;
}

function allFinite(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}

function damaged(where: string, fault: string): LockstepError {
  return refuse(`${where} is damaged: ${fault}; use the checkpoint before it`);
}

function refuse(message: string): LockstepError {
  return new LockstepError("refused", message);
}
