/** Any number of values along an axis, summed up in a bounded number of buckets. Pure. */

import type { Point } from "./line-chart.ts";

interface Bucket {
  count: number;
  x: number;
  y: number;
  low: number;
  high: number;
}

/** About as many as a chart has pixels to tell apart. */
const DEFAULT_COUNT = 240;

export class Buckets {
  readonly #width: number;
  readonly #buckets: (Bucket | undefined)[];

  /** @param xMax values up to it, from 0 */
  constructor(xMax: number, count = DEFAULT_COUNT) {
    this.#width = Math.max(xMax, Number.MIN_VALUE) / count;
    this.#buckets = Array.from({ length: count }, () => undefined);
  }

  /** What is no finite number is left out. */
  add(x: number, y: number): void {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    const index = Math.max(0, Math.min(this.#buckets.length - 1, Math.ceil(x / this.#width) - 1));
    const bucket = (this.#buckets[index] ??= { count: 0, x: 0, y: 0, low: y, high: y });
    bucket.count += 1;
    bucket.x += (x - bucket.x) / bucket.count;
    bucket.y += (y - bucket.y) / bucket.count;
    bucket.low = Math.min(bucket.low, y);
    bucket.high = Math.max(bucket.high, y);
  }

  /** Means, with the least and the most where there are several values. */
  points(): Point[] {
    return this.#buckets.flatMap((bucket) => {
      if (bucket === undefined) return [];
      const { count, x, y, low, high } = bucket;
      return count === 1 ? { x, y } : { x, y, low, high };
    });
  }
}
