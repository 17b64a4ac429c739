/** What many figures of one thing come to. Pure. */

export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** Of a sample: over n - 1; null of a single figure. */
  readonly sd: number | null;
  readonly min: number;
  readonly max: number;
}

/** @returns undefined where there are no figures; what is null or not finite is left out */
export function spread(figures: readonly (number | null)[]): Spread | undefined {
  const values = figures.filter((value): value is number => value !== null && Number.isFinite(value));
  const n = values.length;
  if (n === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  // About the mean: the squares' sum less the mean's square would lose most digits of accuracies near 1.
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const sd = n > 1 ? Math.sqrt(squares / (n - 1)) : null;
  return { n, mean, sd, min: Math.min(...values), max: Math.max(...values) };
}
