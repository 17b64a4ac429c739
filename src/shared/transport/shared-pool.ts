import { VectorMemory } from "../vector/vector-memory.ts";
import type { PayloadMemory } from "./transport.ts";

/** In front of each vector lies the count of its users, on a cache line of its own. */
const HEADER_FLOATS = 16;
const HEADER_BYTES = HEADER_FLOATS * 4;

/**
 * One thread's vectors in memory that threads share, used again once nobody needs them.
 *
 * Whoever allocated a vector holds it until its first `release`. Others that need it are counted in front of it: every
 * message under way with it, and all that have retained it. A thread that dies loses the vectors that it allocated and
 * those of the messages that it has not read: about a megabyte, which is not used again in this run.
 */
export class SharedPool implements PayloadMemory {
  readonly vectors: VectorMemory;
  readonly #known = new Map<number, Float32Array[]>();
  /** Addresses of the vectors that this thread has allocated and not released. */
  readonly #held = new Set<number>();

  constructor(memory: WebAssembly.Memory) {
    this.vectors = new VectorMemory(memory);
  }

  allocate(length: number): Float32Array {
    let known = this.#known.get(length);
    if (known === undefined) this.#known.set(length, (known = []));
    let vector = known.find((each) => !this.#held.has(each.byteOffset) && Atomics.load(usersOf(each), 0) === 0);
    if (vector === undefined) {
      const { values } = this.vectors.allocate(HEADER_FLOATS + length);
      vector = values.subarray(HEADER_FLOATS);
      known.push(vector);
    }
    this.#held.add(vector.byteOffset);
    return vector;
  }

  retain(vector: Float32Array | Uint8Array): void {
    if (isShared(vector)) Atomics.add(usersOf(vector), 0, 1);
  }

  release(vector: Float32Array | Uint8Array): void {
    if (isShared(vector) && !this.#held.delete(vector.byteOffset)) Atomics.sub(usersOf(vector), 0, 1);
  }
}

/** Whether a frame lies in the memory of threads: nothing else that is sent is in shared memory. */
export function isShared({ buffer }: Float32Array | Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

function usersOf({ buffer, byteOffset }: Float32Array | Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset - HEADER_BYTES, 1);
}
