/** A worker's part of a step: from a tiny shard in WebAssembly to a first one that compiles GPU kernels, in seconds. */
export const WORK_BUCKETS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** A histogram as plain numbers: observing costs a search and three additions, all else is done when it is read. Pure. */
export class BucketCounts {
  /** Upper ends of the buckets, ascending, in the unit of what is observed; one more bucket takes what lies above. */
  readonly bounds: readonly number[];
  /** Observations in each bucket alone. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  /** Observations up to each bound, as Prometheus counts them. */
  cumulative(): number[] {
    let total = 0;
    return this.bounds.map((_, bucket) => (total += this.#counts[bucket]!));
  }
}
