import { Packr, Unpackr } from "msgpackr";
import type { z } from "zod";
import { LockstepError, messageOf } from "../errors.ts";
import { SLICES } from "../model/contribution.ts";
import { type HeaderLimits, headerProblem } from "./header-limits.ts";
import { type CoordinatorMessage, coordinatorHeader, LIMITS, type WorkerMessage, workerHeader } from "./messages.ts";

/** What a transport carries: the header's frame, then the payload's. */
export type Frames = readonly Uint8Array[];

/** A validated message: every frame has exactly the length that the header calls for. */
export interface Decoded<Header> {
  readonly header: Header;
  /** Raw little-endian numbers, possibly unaligned: copy them out with `floatsInto` or `wordsOf`. */
  readonly payload: Frames;
}

// Plain maps, so that a header can be read in any language and by any later version; no extension types.
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

/**
 * @param payload typed arrays are sent as their bytes, without a copy: never write to one again
 */
export function encode(
  header: WorkerMessage | CoordinatorMessage,
  ...payload: readonly (Float32Array | Uint32Array)[]
): Uint8Array[] {
  return [packr.pack(header), ...payload.map(bytesOf)];
}

const DEPTH = { depth: LIMITS.depth, keyBytes: LIMITS.keyBytes };
const WORKER_LIMITS: HeaderLimits = { ...DEPTH, values: LIMITS.workerValues };
const COORDINATOR_LIMITS: HeaderLimits = { ...DEPTH, values: LIMITS.coordinatorValues };

/** @throws LockstepError "protocol" with a sentence that says what is wrong */
export function decodeFromWorker(frames: Frames): Decoded<WorkerMessage> {
  return decode(frames, workerHeader, workerPayloadBytes, WORKER_LIMITS);
}

/** @throws LockstepError "protocol" with a sentence that says what is wrong */
export function decodeFromCoordinator(frames: Frames): Decoded<CoordinatorMessage> {
  return decode(frames, coordinatorHeader, coordinatorPayloadBytes, COORDINATOR_LIMITS);
}

function decode<Header extends { type: string }>(
  frames: Frames,
  schema: z.ZodType<Header>,
  expectedBytes: (header: Header) => readonly number[],
  limits: HeaderLimits,
): Decoded<Header> {
  const [first, ...payload] = frames;
  if (first === undefined) throw malformed("the message is empty");
  if (frames.length > LIMITS.frames) throw malformed(`${frames.length} frames, at most ${LIMITS.frames} are allowed`);
  if (first.byteLength > LIMITS.headerBytes) {
    throw malformed(`the header has ${first.byteLength} bytes, at most ${LIMITS.headerBytes} are allowed`);
  }
  const problem = headerProblem(first, limits);
  if (problem !== undefined) throw malformed(`the header ${problem}`);
  const parsed = schema.safeParse(unpack(first));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`the header is not valid: ${issue?.path.map(String).join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  const header = parsed.data;
  const expected = expectedBytes(header);
  if (payload.length !== expected.length) {
    throw malformed(`"${header.type}" has ${payload.length} payload frames, ${expected.length} expected`);
  }
  for (const [i, frame] of payload.entries()) {
    if (frame.byteLength !== expected[i]) {
      throw malformed(`payload ${i} of "${header.type}" has ${frame.byteLength} bytes, ${expected[i]} expected`);
    }
  }
  return { header, payload };
}

function unpack(frame: Uint8Array): unknown {
  try {
    return unpackr.unpack(frame);
  } catch (thrown) {
    throw malformed(`the header is not msgpack: ${messageOf(thrown)}`);
  }
}

/** The sentence is logged and may be sent back: what a peer put into it must not make it long. */
const LONGEST_PROBLEM = 300;

function malformed(what: string): LockstepError {
  return new LockstepError("protocol", `malformed message: ${what.slice(0, LONGEST_PROBLEM)}`);
}

const FLOAT_BYTES = 4;

function workerPayloadBytes(header: WorkerMessage): readonly number[] {
  if (header.type !== "result") return [];
  return header.nodes.map(() => SLICES[header.slice].contributionLength * FLOAT_BYTES);
}

function coordinatorPayloadBytes(header: CoordinatorMessage): readonly number[] {
  switch (header.type) {
    case "parameters":
      return [SLICES[header.slice].stateLength * FLOAT_BYTES];
    case "assign":
      return [
        header.shards.reduce((samples, shard) => samples + shard.count, 0) * FLOAT_BYTES,
        ...header.slices.map((slice) => SLICES[slice].stateLength * FLOAT_BYTES),
      ];
    default:
      return [];
  }
}

/** The bytes of a typed array, not copied. */
export function bytesOf(numbers: Float32Array | Uint32Array | Uint8Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Copies a payload frame's float32 values to the start of `target`. Frames can lie at any byte offset. */
export function floatsInto(target: Float32Array, frame: Uint8Array): void {
  bytesOf(target).set(frame);
}

/** A payload frame's uint32 values, copied. */
export function wordsOf(frame: Uint8Array): Uint32Array {
  const words = new Uint32Array(frame.byteLength / FLOAT_BYTES);
  bytesOf(words).set(frame);
  return words;
}
