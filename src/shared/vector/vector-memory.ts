import { allocateMemory, type Kernels, WASM_PAGE_BYTES } from "../kernel-instance.ts";
import { instantiateOver } from "../kernel-module.ts";
import { MOST_SHARED_PAGES, SHARED_VECTOR_KERNELS, VECTOR_KERNELS } from "./kernels.ts";

interface VectorExports {
  add(into: number, other: number, n: number): number;
  blend(average: number, values: number, n: number, keep: number, take: number): void;
  scale(into: number, values: number, n: number, factor: number): void;
  allFinite(values: number, n: number): number;
  sumOfSquares(values: number, n: number): number;
  adam(
    ...args: [
      ...[p: number, m: number, v: number, g: number, pNext: number, mNext: number, vNext: number, n: number],
      ...[beta1: number, oneMinusBeta1: number, beta2: number, oneMinusBeta2: number],
      ...[stepSize: number, varianceScale: number, epsilon: number],
    ]
  ): void;
}

/** A float32 vector that lives in a `VectorMemory`. */
export interface Vector {
  readonly length: number;
  /** The numbers themselves. Read it anew after each `allocate`: growing the memory replaces the view. */
  readonly values: Float32Array;
}

class MemoryVector implements Vector {
  readonly pointer: number;
  readonly length: number;
  readonly #memory: WebAssembly.Memory;
  #values: Float32Array;

  constructor(memory: WebAssembly.Memory, pointer: number, length: number) {
    this.#memory = memory;
    this.pointer = pointer;
    this.length = length;
    this.#values = new Float32Array(memory.buffer, pointer, length);
  }

  get values(): Float32Array {
    if (this.#values.buffer !== this.#memory.buffer) {
      this.#values = new Float32Array(this.#memory.buffer, this.pointer, this.length);
    }
    return this.#values;
  }
}

/** Adam's factors for one step, each rounded to float32. */
export interface AdamFactors {
  readonly beta1: number;
  readonly oneMinusBeta1: number;
  readonly beta2: number;
  readonly oneMinusBeta2: number;
  /** lr / (1 - beta1^t) */
  readonly stepSize: number;
  /** 1 / sqrt(1 - beta2^t) */
  readonly varianceScale: number;
  readonly epsilon: number;
}

/** Some of a vector's numbers. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/** Parameters with Adam's first and second moment, each of the same length. */
export interface Moments {
  readonly p: Vector;
  readonly m: Vector;
  readonly v: Vector;
}

/** The lowest address handed out; what lies below is the compiler's, except for one word. */
const FIRST_ADDRESS = 4_096;
/** That word counts the cache lines handed out: it lies in the memory so that all its threads see it. */
const LINES_ADDRESS = 64;
/** Vectors begin on cache lines of their own, so that threads do not get into each other's way. */
const LINE_BYTES = 64;

/** A memory in which several threads can each have a `VectorMemory`, over the same vectors. */
export function sharedMemory(): WebAssembly.Memory {
  return allocateMemory({ initial: 1, maximum: MOST_SHARED_PAGES, shared: true });
}

/** Float32 vectors in one WebAssembly memory, with SIMD arithmetic on them. Vectors are never freed: pool them. */
export class VectorMemory {
  readonly #kernels: Kernels<VectorExports>;

  /** @param memory its own unless told; a shared one is that of `sharedMemory` */
  constructor(memory = allocateMemory({ initial: 1 })) {
    const { name } = memory.buffer instanceof SharedArrayBuffer ? SHARED_VECTOR_KERNELS : VECTOR_KERNELS;
    this.#kernels = instantiateOver<VectorExports>(name, memory);
  }

  /** For another thread. */
  get memory(): WebAssembly.Memory {
    return this.#kernels.memory;
  }

  allocate(length: number): Vector {
    const { memory } = this.#kernels;
    const lines = Math.ceil((length * 4) / LINE_BYTES);
    const before = Atomics.add(new Int32Array(memory.buffer, LINES_ADDRESS, 1), 0, lines);
    const pointer = FIRST_ADDRESS + before * LINE_BYTES;
    this.#reach(pointer + lines * LINE_BYTES);
    return new MemoryVector(memory, pointer, length);
  }

  /** The numbers at an address that another thread has given, as they lie there. */
  at(pointer: number, length: number): Vector {
    this.#reach(pointer + length * 4);
    return new MemoryVector(this.#kernels.memory, pointer, length);
  }

  #reach(end: number): void {
    const { memory } = this.#kernels;
    if (end <= memory.buffer.byteLength) return;
    // Shows what other threads have grown. What they grow from here on makes the memory larger than it need be.
    memory.grow(0);
    const missingBytes = end - memory.buffer.byteLength;
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / WASM_PAGE_BYTES));
  }

  /** The part of a vector from `start` on; it shares the vector's numbers. `start` must be a multiple of 4. */
  part(vector: Vector, start: number, length: number): Vector {
    if (start % 4 !== 0 || start + length > vector.length) throw new RangeError(`no part [${start}, +${length})`);
    return new MemoryVector(this.#kernels.memory, address(vector) + start * 4, length);
  }

  /** into += other, both of the same length. Returns whether no sum is NaN or infinite. */
  add(into: Vector, other: Vector): boolean {
    return this.#kernels.exports.add(address(into), address(other), into.length) === 1;
  }

  /** average = average * keep + values * (1 - keep), with both factors rounded to float32. */
  blend(average: Vector, values: Vector, keep: number): void {
    this.#kernels.exports.blend(
      address(average),
      address(values),
      average.length,
      Math.fround(keep),
      Math.fround(1 - keep),
    );
  }

  /** into = values * factor, rounded to float32, in the `length` numbers from `start` on, wherever that is. */
  scale(into: Vector, values: Vector, factor: number, { start, length }: Range): void {
    const offset = start * 4;
    this.#kernels.exports.scale(address(into) + offset, address(values) + offset, length, Math.fround(factor));
  }

  /** Whether no value is NaN or infinite. */
  allFinite(vector: Vector): boolean {
    return this.#kernels.exports.allFinite(address(vector), vector.length) === 1;
  }

  /** Of the first `length` numbers, in double precision and one fixed order, so that the same numbers have the same sum. */
  sumOfSquares(vector: Vector, length: number): number {
    return this.#kernels.exports.sumOfSquares(address(vector), length);
  }

  /** One Adam step on the first `length` numbers, from `old` to `next`, whose parameters may be the same vector. */
  adam(old: Moments, gradient: Vector, next: Moments, length: number, factors: AdamFactors): void {
    const { beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, varianceScale, epsilon } = factors;
    this.#kernels.exports.adam(
      ...([address(old.p), address(old.m), address(old.v), address(gradient)] as const),
      ...([address(next.p), address(next.m), address(next.v), length] as const),
      ...([beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, varianceScale, epsilon] as const),
    );
  }
}

function address(vector: Vector): number {
  if (!(vector instanceof MemoryVector)) throw new TypeError("the vector is not one of this memory's");
  return vector.pointer;
}
