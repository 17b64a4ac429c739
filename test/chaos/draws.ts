import { uniformFrom } from "../support/floats.ts";

/** Random choices that depend on nothing but a seed. */
export class Draws {
  /** From 0 up to, not including, 1. */
  readonly uniform: () => number;

  constructor(seed: number) {
    this.uniform = uniformFrom(seed);
  }

  between(low: number, high: number): number {
    return low + this.uniform() * (high - low);
  }

  /** From 0 up to, not including, `bound`. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to choose from");
    return item;
  }

  /** As many bytes that mean nothing. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }

  /** A new array in random order (Fisher and Yates). */
  shuffled<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
    }
    return shuffled;
  }
}
