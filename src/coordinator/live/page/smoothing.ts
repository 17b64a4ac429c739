/**
 * A running mean with exponentially falling weights, corrected for its beginning as Adam's moments are (Kingma and Ba,
 * 2015, section 3). Gaps stay gaps.
 *
 * @param weight of what came before, from 0 (no smoothing) to less than 1
 */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  let [mean, total] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return mean / total;
  });
}

/** The value below which the given share of the values lies; undefined when there are none. */
export function quantile(values: readonly (number | null | undefined)[], share: number): number | undefined {
  const sorted = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
