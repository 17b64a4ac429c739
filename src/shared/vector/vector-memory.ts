import { instantiateKernels, type Kernels, WASM_PAGE_BYTES } from "../kernel-module.ts";

interface VectorExports {
  add(into: number, other: number, n: number): void;
  blend(average: number, values: number, n: number, keep: number, take: number): void;
  allFinite(values: number, n: number): number;
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

/** Parameters with Adam's first and second moment, each of the same length. */
export interface Moments {
  readonly p: Vector;
  readonly m: Vector;
  readonly v: Vector;
}

/** The lowest address handed out; what lies below is the compiler's. */
const FIRST_ADDRESS = 4_096;
const ALIGNMENT_BYTES = 16;

/** Float32 vectors in one WebAssembly memory, with SIMD arithmetic on them. Vectors are never freed: pool them. */
export class VectorMemory {
  readonly #kernels: Kernels<VectorExports> = instantiateKernels<VectorExports>("vector");
  #top = FIRST_ADDRESS;

  allocate(length: number): Vector {
    const pointer = this.#top;
    this.#top = Math.ceil((pointer + length * 4) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    const { memory } = this.#kernels;
    const missingBytes = this.#top - memory.buffer.byteLength;
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / WASM_PAGE_BYTES));
    return new MemoryVector(memory, pointer, length);
  }

  /** The part of a vector from `start` on; it shares the vector's numbers. `start` must be a multiple of 4. */
  part(vector: Vector, start: number, length: number): Vector {
    if (start % 4 !== 0 || start + length > vector.length) throw new RangeError(`no part [${start}, +${length})`);
    return new MemoryVector(this.#kernels.memory, address(vector) + start * 4, length);
  }

  /** into += other, both of the same length. */
  add(into: Vector, other: Vector): void {
    this.#kernels.exports.add(address(into), address(other), into.length);
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

  /** Whether no value is NaN or infinite. */
  allFinite(vector: Vector): boolean {
    return this.#kernels.exports.allFinite(address(vector), vector.length) === 1;
  }

  /** One Adam step on the first `length` numbers, from `old` to `next`. */
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
