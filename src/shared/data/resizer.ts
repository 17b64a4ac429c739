import { WASM_PAGE_BYTES } from "../kernel-instance.ts";
import { instantiateKernels } from "../kernel-module.ts";
import { IMAGE_SIDE, IMAGE_SIZE } from "../model/lenet5.ts";
import { STORED_SIDE, STORED_SIZE } from "./idx.ts";

interface ResizeExports {
  firstFreeByte(): number;
  resize(from: number, to: number, n: number, rows: number): void;
}

/** A store of 16 bytes may begin at any of them, and the kernel's last one ends where the room does. */
const ALIGNMENT = 16;
const aligned = (address: number): number => Math.ceil(address / ALIGNMENT) * ALIGNMENT;

/** Resizes stored images, a few at a time, to what the network takes: `resize` of preprocess.ts with SIMD. */
export class Resizer {
  /** Most images at a time. */
  static readonly CAPACITY = 32;

  readonly #kernels = instantiateKernels<ResizeExports>("resize");
  readonly #bytes: Uint8Array;
  readonly #rows: number;
  readonly #from: number;
  readonly #to: number;

  constructor() {
    const { exports, memory } = this.#kernels;
    this.#rows = aligned(exports.firstFreeByte());
    this.#from = aligned(this.#rows + STORED_SIDE * IMAGE_SIDE * 2);
    this.#to = aligned(this.#from + Resizer.CAPACITY * STORED_SIZE);
    const end = this.#to + Resizer.CAPACITY * IMAGE_SIZE;
    memory.grow(Math.max(0, Math.ceil((end - memory.buffer.byteLength) / WASM_PAGE_BYTES)));
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /**
   * Puts an image where `resize` finds it.
   * @param place from 0, below `CAPACITY`
   * @param pixels [count, 28, 28] bytes, of which the image with this index is taken
   */
  put(place: number, pixels: Uint8Array, index: number): void {
    const start = index * STORED_SIZE;
    this.#bytes.set(pixels.subarray(start, start + STORED_SIZE), this.#from + place * STORED_SIZE);
  }

  /** @returns the first `n` images that were put there, [n, 32, 32] bytes: a view that changes with the next call */
  resize(n: number): Uint8Array {
    this.#kernels.exports.resize(this.#from, this.#to, n, this.#rows);
    return this.#bytes.subarray(this.#to, this.#to + n * IMAGE_SIZE);
  }
}
