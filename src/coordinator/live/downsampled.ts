export interface DownsampledOptions<Point> {
  /** Points that are kept at most; half of it at least once there were so many. */
  readonly limit: number;
  /** One point in place of two that follow each other. */
  readonly merge: (earlier: Point, later: Point) => Point;
}

/**
 * Points of a curve, at most so many: whenever there are more, each two neighbours become one, and from then on a point
 * stands for twice as many places. Memory is bounded, and adding costs the same on average, however long the curve grows.
 */
export class Downsampled<Point> {
  readonly #limit: number;
  readonly #merge: (earlier: Point, later: Point) => Point;
  #points: Point[] = [];
  /** Of each point: its place divided by the stride. */
  #buckets: number[] = [];
  #stride = 1;

  constructor({ limit, merge }: DownsampledOptions<Point>) {
    this.#limit = limit;
    this.#merge = merge;
  }

  /** Oldest first. The last one may still change. */
  get points(): readonly Point[] {
    return this.#points;
  }

  /** Places that one point stands for: a power of two. All points change when it does. */
  get stride(): number {
    return this.#stride;
  }

  /** @param place from 0, on the curve's whole way; never less than the one before */
  add(place: number, point: Point): void {
    this.#append(Math.floor(place / this.#stride), point);
    // More than once where places were left out: points that were no neighbours may become some.
    while (this.#points.length > this.#limit) this.#halve();
  }

  #append(bucket: number, point: Point): void {
    const last = this.#points.length - 1;
    if (last >= 0 && this.#buckets[last] === bucket) {
      this.#points[last] = this.#merge(this.#points[last]!, point);
    } else {
      this.#points.push(point);
      this.#buckets.push(bucket);
    }
  }

  #halve(): void {
    const [points, buckets] = [this.#points, this.#buckets];
    [this.#points, this.#buckets] = [[], []];
    this.#stride *= 2;
    for (const [index, point] of points.entries()) this.#append(Math.floor(buckets[index]! / 2), point);
  }
}
