/**
 * Finds out how many workers train fastest here, by trying. Pure.
 *
 * The weights do not depend on who computes what, so the first steps of a run can be given to more and to fewer workers in
 * turns, and nothing is lost but a little time. More workers are not always faster: what they save in computing they may
 * cost in exchange, above all where batches are small or cores are shared.
 */

/** Steps with all workers before anything is measured: compilers are at work until then. */
const WARM_UP_STEPS = 200;
/** Each count is tried this often, in turns, so that a moment's disturbance does not decide. */
const ROUNDS = 3;
/** Steps of a try: the first are left out, as they still wait for what went before. */
const SETTLING_STEPS = 5;
const MEASURED_STEPS = 25;
/** Fewer workers are used only where they are faster by this much: a moment's disturbance is not to cost a long run. */
const LEAST_GAIN = 1.1;

/** How fast so many workers were. */
export interface TriedCount {
  readonly workers: number;
  readonly stepMs: number;
}

export class WorkerCountTrial {
  readonly #counts: readonly number[];
  readonly #stepMs: readonly number[][];
  #steps: number;

  /**
   * @param most workers that there are
   * @param warm whether compilers have done their work
   */
  constructor(most: number, { warm = false } = {}) {
    this.#steps = warm ? 0 : -WARM_UP_STEPS;
    this.#counts = countsToTry(most);
    this.#stepMs = this.#counts.map(() => []);
  }

  /** Workers to use in the next step, while the trial lasts. */
  get next(): number {
    return this.#counts[this.#place] ?? 1;
  }

  /** The outcome, once there is one: all counts that were tried, and which of them to use. */
  get outcome(): { readonly chosen: TriedCount; readonly tried: readonly TriedCount[] } | undefined {
    if (this.#steps < ROUNDS * this.#counts.length * (SETTLING_STEPS + MEASURED_STEPS)) return undefined;
    const tried = this.#counts.map((workers, i) => ({ workers, stepMs: median(this.#stepMs[i] ?? []) }));
    const chosen = tried.reduce((best, each) => (best.stepMs > each.stepMs * LEAST_GAIN ? each : best));
    return { chosen, tried };
  }

  /** Notes a step of a full batch that `next` workers have done. */
  record(stepMs: number): void {
    if (this.#steps >= 0 && this.#steps % (SETTLING_STEPS + MEASURED_STEPS) >= SETTLING_STEPS) {
      this.#stepMs[this.#place]?.push(stepMs);
    }
    this.#steps += 1;
  }

  get #place(): number {
    return Math.floor(Math.max(0, this.#steps) / (SETTLING_STEPS + MEASURED_STEPS)) % this.#counts.length;
  }
}

/** All, half of them, and so on down to one. */
function countsToTry(most: number): number[] {
  const counts = [most];
  while (counts.at(-1)! > 1) counts.push(Math.ceil(counts.at(-1)! / 2));
  return counts;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;
}
