/** Samples a second over the last few seconds of training. */

const WINDOW_MS = 10_000;
/** Two marks are at least this far apart, so that the window holds a few dozen whatever the speed. */
const MARK_INTERVAL_MS = 250;

/** A sliding window over the steps of a run. Pure: times come from the caller, in milliseconds of any one clock. */
export class Throughput {
  /** Oldest first; `at` without the time that was skipped. */
  readonly #marks: { at: number; samples: number }[];
  #samples = 0;
  #lastAt: number;
  #skippedMs = 0;

  constructor(startedAt: number) {
    this.#marks = [{ at: startedAt, samples: 0 }];
    this.#lastAt = startedAt;
  }

  /** A step over `samples` samples was done at `at`. */
  step(at: number, samples: number): void {
    this.#samples += samples;
    this.#lastAt = at;
    const trainedAt = at - this.#skippedMs;
    if (trainedAt - this.#marks.at(-1)!.at < MARK_INTERVAL_MS) return;
    this.#marks.push({ at: trainedAt, samples: this.#samples });
    while (this.#marks[1]!.at < trainedAt - WINDOW_MS) this.#marks.shift();
  }

  /** The time since the last step went into something else, such as an evaluation, and does not count. */
  skip(at: number): void {
    this.#skippedMs += at - this.#lastAt;
    this.#lastAt = at;
  }

  /** Samples a second over the window that ends at `at`; 0 before the first step. Falls while no step gets done. */
  samplesPerSecond(at: number): number {
    const trainedAt = at - this.#skippedMs;
    const oldest = this.#marks[0]!;
    const elapsedMs = trainedAt - oldest.at;
    return elapsedMs > 0 ? ((this.#samples - oldest.samples) * 1000) / elapsedMs : 0;
  }
}
