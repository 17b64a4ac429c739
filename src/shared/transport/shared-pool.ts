import type { PayloadMemory } from "./transport.ts";

/** A buffer's first bytes count its users; the vector follows, aligned for SIMD loads. */
const HEADER_BYTES = 64;

/**
 * Vectors in memory that threads share, used again once nobody needs them.
 *
 * Each buffer counts its users: whoever allocated it, and every message under way with it. At zero it is free. A thread
 * that dies with a message unread never gives its buffer back: that one is lost, and another takes its place.
 */
export class SharedPool implements PayloadMemory {
  readonly #vectors = new Map<number, Float32Array[]>();

  allocate(length: number): Float32Array {
    let vectors = this.#vectors.get(length);
    if (vectors === undefined) this.#vectors.set(length, (vectors = []));
    let vector = vectors.find(({ buffer }) => Atomics.load(usersOf(buffer), 0) === 0);
    if (vector === undefined) {
      vector = new Float32Array(new SharedArrayBuffer(HEADER_BYTES + length * 4), HEADER_BYTES, length);
      vectors.push(vector);
    }
    addUser(vector);
    return vector;
  }

  release(vector: Float32Array): void {
    removeUser(vector);
  }
}

/** Notes that a message with this frame is under way. Does nothing for frames in memory of one thread alone. */
export function addUser({ buffer }: Uint8Array | Float32Array): void {
  if (buffer instanceof SharedArrayBuffer) Atomics.add(usersOf(buffer), 0, 1);
}

/** Notes that a frame has been read by one to whom it was sent. */
export function removeUser({ buffer }: Uint8Array | Float32Array): void {
  if (buffer instanceof SharedArrayBuffer) Atomics.sub(usersOf(buffer), 0, 1);
}

function usersOf(buffer: ArrayBufferLike): Int32Array {
  return new Int32Array(buffer, 0, 1);
}
