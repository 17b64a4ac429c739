/** The tensors of a checkpoint file: their names, their order, and the vectors that their values are taken from. */

import { endianness } from "node:os";
import { LockstepError, invariant } from "./errors.ts";
import { PARAMETERS, PARAMETER_COUNT, STATE_COUNT, STATISTICS, type TensorSpec } from "./model/lenet5.ts";
import { encodeValues, type Tensor } from "./safetensors.ts";

export interface CheckpointVectors {
  /** [STATE_COUNT] parameters, then running statistics, in table order: the average over the steps, which one uses. */
  readonly state: Float32Array;
  /** [STATE_COUNT] the same after the last step, not averaged. */
  readonly latest: Float32Array;
  /** [PARAMETER_COUNT] Adam's first moments. */
  readonly adamM: Float32Array;
  /** [PARAMETER_COUNT] Adam's second moments. */
  readonly adamV: Float32Array;
}

/** Tensors that an error names before it only counts them. */
const NAMED_TENSORS = 3;

/** All tensors by name, in the order of the file: views of the vectors. */
export function tensorsOf(vectors: CheckpointVectors): Map<string, Tensor> {
  return new Map(placesIn(vectors).map((place) => [place.name, { shape: place.spec.shape, values: valuesAt(place) }]));
}

/** The bytes of all tensors in the order of the file, which are those of the vectors, one after the other. */
export function bytesOf(vectors: CheckpointVectors): Uint8Array<ArrayBuffer> {
  if (endianness() === "BE") return encodeValues(tensorsOf(vectors).values());
  const { state, latest, adamM, adamV } = vectors;
  const parts = [state, latest, adamM, adamV];
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    values.set(part, offset);
    offset += part.length;
  }
  return new Uint8Array(values.buffer);
}

/**
 * The name of the first tensor with a value that is not finite; undefined when there is none, which takes one quick
 * pass over the vectors.
 */
export function nonFiniteTensor(vectors: CheckpointVectors): string | undefined {
  const { state, latest, adamM, adamV } = vectors;
  if ([state, latest, adamM, adamV].every(areFinite)) return undefined;
  return placesIn(vectors).find((place) => !areFinite(valuesAt(place)))?.name;
}

/**
 * Copies a file's tensors into the vectors.
 *
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when they are not exactly the expected ones, or a value is not finite
 */
export function fillVectors(vectors: CheckpointVectors, tensors: ReadonlyMap<string, Tensor>, where: string): void {
  const places = placesIn(vectors);
  requireNames(tensors, new Set(places.map(({ name }) => name)), where);
  for (const { name, spec, vector } of places) {
    const found = tensors.get(name)!;
    if (String(found.shape) !== String(spec.shape)) {
      throw refuse(
        `${where} is of another model: ${name} has shape [${found.shape.join(", ")}], expected ` +
          `[${spec.shape.join(", ")}]; use a checkpoint that lockstep wrote`,
      );
    }
    if (!areFinite(found.values)) {
      throw refuse(`${where}: ${name} holds values that are not finite; use the checkpoint before it`);
    }
    vector.set(found.values, spec.offset);
  }
}

/** A tensor of the file and its place in one of the vectors. */
interface Place {
  readonly name: string;
  readonly spec: TensorSpec;
  readonly vector: Float32Array;
}

function placesIn({ state, latest, adamM, adamV }: CheckpointVectors): Place[] {
  invariant(state.length === STATE_COUNT, `a state of ${state.length} values`);
  invariant(latest.length === STATE_COUNT, `a latest state of ${latest.length} values`);
  invariant(adamM.length === PARAMETER_COUNT, `${adamM.length} first moments`);
  invariant(adamV.length === PARAMETER_COUNT, `${adamV.length} second moments`);
  const ofState = [...PARAMETERS, ...STATISTICS];
  return [
    ...ofState.map((spec) => ({ name: spec.name, spec, vector: state })),
    ...ofState.map((spec) => ({ name: `latest.${spec.name}`, spec, vector: latest })),
    ...PARAMETERS.map((spec) => ({ name: `adam.m.${spec.name}`, spec, vector: adamM })),
    ...PARAMETERS.map((spec) => ({ name: `adam.v.${spec.name}`, spec, vector: adamV })),
  ];
}

function valuesAt({ spec, vector }: Place): Float32Array {
  return vector.subarray(spec.offset, spec.offset + spec.size);
}

/** Less itself, a value that is not finite makes NaN, and so the sum: quicker than asking for each. */
function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]! - values[index]!;
  return sum === 0;
}

function requireNames(tensors: ReadonlyMap<string, Tensor>, expected: ReadonlySet<string>, where: string): void {
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

function refuse(message: string): LockstepError {
  return new LockstepError("refused", message);
}
