/** What many figures of one thing come to. */

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @returns undefined where there are no figures */
export function summarise(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * `values` over `others`, round by round: what slows a machine down for a while slows both sides of a ratio. Rounds that
 * only one of them has are left out.
 */
export function ratios(values: readonly number[], others: readonly number[]): number[] {
  return values.slice(0, others.length).map((value, round) => value / (others[round] ?? NaN));
}
