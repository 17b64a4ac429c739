/**
 * The safetensors file format (https://github.com/huggingface/safetensors, "Format"), for float32 tensors:
 *
 *     8 bytes   length of the header, little-endian
 *     header    JSON: each tensor's dtype, shape and place in the data; `__metadata__`, a map of strings
 *     data      little-endian values, row-major, each tensor right after the one before
 */

import { LockstepError, invariant, messageOf } from "./errors.ts";

export interface Tensor {
  readonly shape: readonly number[];
  /** As many values as the shape says, row-major. */
  readonly values: Float32Array;
}

export interface TensorFile {
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of their data. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The tensors' bytes, one after the other. */
  readonly data: Uint8Array;
}

const LENGTH_BYTES = 8;
/** The data starts at a multiple of this, which the format asks of writers. */
const ALIGNMENT_BYTES = 8;
const VALUE_BYTES = Float32Array.BYTES_PER_ELEMENT;
const METADATA = "__metadata__";

/** A tensor's bytes in a file, and in its place among others. */
export function encodeValues(tensors: Iterable<Tensor>): Uint8Array<ArrayBuffer> {
  const parts = [...tensors];
  const bytes = new Uint8Array(parts.reduce((sum, { values }) => sum + values.length * VALUE_BYTES, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const { values } of parts) {
    for (let index = 0; index < values.length; index++) {
      view.setFloat32(offset, values[index]!, true);
      offset += VALUE_BYTES;
    }
  }
  return bytes;
}

/**
 * The content of a safetensors file.
 *
 * @param data what `encodeValues` made of the same tensors
 */
export function encodeTensorFile({ metadata, tensors, data }: TensorFile): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] = [[METADATA, Object.fromEntries(metadata)]];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    invariant(countOf(shape) === values.length, `${name} has ${values.length} values for shape [${shape.join(", ")}]`);
    const end = offset + values.length * VALUE_BYTES;
    header.push([name, { dtype: "F32", shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  invariant(offset === data.length, `${data.length} bytes of data for tensors of ${offset}`);
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + json.length, LENGTH_BYTES + headerBytes);
  file.set(data, LENGTH_BYTES + headerBytes);
  return file;
}

/**
 * Reads a safetensors file of float32 tensors, taking nothing on trust.
 *
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is anything else or was cut short
 */
export function decodeTensorFile(file: Uint8Array, where: string): TensorFile {
  const { header, data } = splitFile(file, where);
  const metadata = new Map<string, string>();
  const places: Place[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) {
      for (const [key, value] of Object.entries(objectOf(entry, `${where}: ${METADATA}`))) {
        if (typeof value !== "string") throw refuse(`${where}: metadata "${key}" is not a string`);
        metadata.set(key, value);
      }
    } else {
      places.push(placeOf(name, entry, where));
    }
  }
  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const tensors = new Map<string, Tensor>();
  let offset = 0;
  for (const { name, shape, begin, end } of places) {
    if (begin !== offset) {
      const fault = begin < offset ? "overlaps the tensor before it" : "leaves a gap before it";
      throw refuse(`${where}: tensor "${name}" ${fault} (it begins at byte ${begin}, expected ${offset})`);
    }
    if (end > data.length) {
      throw refuse(`${where} is truncated: tensor "${name}" ends at byte ${end} of the data, which has ${data.length}`);
    }
    tensors.set(name, { shape, values: readValues(view, begin, end) });
    offset = end;
  }
  if (offset !== data.length) throw refuse(`${where} has ${data.length - offset} bytes too many after its last tensor`);
  return { metadata, tensors, data };
}

function splitFile(file: Uint8Array, where: string): { header: object; data: Uint8Array } {
  if (file.length === 0) throw refuse(`${where} is empty; expected a safetensors file`);
  if (file.length < LENGTH_BYTES + 2) {
    throw refuse(`${where} is truncated: ${file.length} bytes cannot hold a safetensors header`);
  }
  const stated = new DataView(file.buffer, file.byteOffset, file.byteLength).getBigUint64(0, true);
  // A header is a JSON object. Other files begin with other bytes, which also make an absurd length.
  if (file[LENGTH_BYTES] !== "{".charCodeAt(0))
    throw refuse(`${where} is not a safetensors file: it has no JSON header`);
  if (stated > BigInt(file.length - LENGTH_BYTES)) {
    throw refuse(
      `${where} is truncated: its header takes ${stated} bytes, but only ${file.length - LENGTH_BYTES} follow`,
    );
  }
  const headerEnd = LENGTH_BYTES + Number(stated);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(LENGTH_BYTES, headerEnd)));
  } catch (error) {
    throw refuse(`${where} is not a safetensors file, or damaged: its header is not JSON (${messageOf(error)})`, error);
  }
  return { header: objectOf(header, `${where}: the header`), data: file.subarray(headerEnd) };
}

interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function placeOf(name: string, entry: unknown, where: string): Place {
  const what = `${where}: tensor "${name}"`;
  const { dtype, shape, data_offsets: offsets } = objectOf(entry, what) as Record<string, unknown>;
  if (dtype !== "F32") throw refuse(`${what} has dtype ${JSON.stringify(dtype)}; expected "F32"`);
  if (!isCounts(shape)) throw refuse(`${what} has no valid shape`);
  if (!isCounts(offsets) || offsets.length !== 2) throw refuse(`${what} has no valid data_offsets`);
  const [begin, end] = offsets as [number, number];
  const expectedBytes = countOf(shape) * VALUE_BYTES;
  if (end - begin !== expectedBytes) {
    throw refuse(`${what} takes ${end - begin} bytes; expected ${expectedBytes} for shape [${shape.join(", ")}]`);
  }
  return { name, shape, begin, end };
}

function readValues(view: DataView, begin: number, end: number): Float32Array {
  const values = new Float32Array((end - begin) / VALUE_BYTES);
  for (let index = 0; index < values.length; index++)
    values[index] = view.getFloat32(begin + index * VALUE_BYTES, true);
  return values;
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function objectOf(value: unknown, what: string): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(`${what} is not a JSON object`);
  return value;
}

function refuse(message: string, cause?: unknown): LockstepError {
  return new LockstepError("refused", message, cause === undefined ? undefined : { cause });
}
