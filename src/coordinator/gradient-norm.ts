import { type SliceName, SLICE_NAMES, SLICES } from "../shared/model/contribution.ts";
import type { Vector, VectorMemory } from "../shared/vector/vector-memory.ts";

/** What measuring takes, some 12 us, is not worth spending on each of steps that take 2 ms. */
const STEPS_APART = 10;

/**
 * Whether a gradient that is not clipped is measured in a step, which depends on nothing but where the step stands.
 *
 * @param stepInEpoch from 1
 * @param logEvery those that are logged are measured as well
 */
export function isMeasured(stepInEpoch: number, logEvery: number): boolean {
  return stepInEpoch % STEPS_APART === 0 || stepInEpoch % logEvery === 0;
}

/**
 * The norm of a step's gradient over all 61,750 values, for people: nothing is computed with it, and nothing of the gradient
 * is changed. The dense layers' part, nearly all of it, is there while the convolutions are still being computed, and is
 * measured then. In double precision and in a fixed order, so that the same gradient has the same norm everywhere.
 */
export class GradientNorm {
  readonly #memory: VectorMemory;
  readonly #waiting = new Map<SliceName, Vector>();
  readonly #squares = new Map<SliceName, number>();

  /** @param memory in which the sums lie */
  constructor(memory: VectorMemory) {
    this.#memory = memory;
  }

  /** A slice of the step's gradient is complete. @param sum over all shards; to stay as it is until `take` */
  add(slice: SliceName, sum: Vector): void {
    this.#waiting.set(slice, sum);
  }

  /**
   * Measures what waits for it: to be called where nobody else waits.
   * @returns whether there was anything to do
   */
  measure(): boolean {
    if (this.#waiting.size === 0) return false;
    for (const [slice, sum] of this.#waiting) {
      this.#squares.set(slice, this.#memory.sumOfSquares(sum, SLICES[slice].parameterLength));
    }
    this.#waiting.clear();
    return true;
  }

  /** The norm, and makes ready for the next step; null unless all slices were added. */
  take(): number | null {
    this.measure();
    const [dense, conv] = SLICE_NAMES.map((slice) => this.#squares.get(slice));
    this.#squares.clear();
    return dense === undefined || conv === undefined ? null : Math.sqrt(dense + conv);
  }
}
