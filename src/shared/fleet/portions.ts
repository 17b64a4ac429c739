/**
 * How many of `count` like items each worker gets, so that the slowest is done as early as possible. Pure.
 *
 * Measured costs are noisy, and an even share has the merit of being the same each time: the shares are uneven only where
 * that saves a tenth of the time or more.
 *
 * @param costs what one item costs each worker, in any one unit, above 0
 */
export function portions(count: number, costs: readonly number[]): number[] {
  const even = evenPortions(count, costs.length);
  const fitted = fittedPortions(count, costs);
  return slowest(fitted, costs) < WORTHWHILE * slowest(even, costs) ? fitted : even;
}

const WORTHWHILE = 0.9;

function evenPortions(count: number, workers: number): number[] {
  const edge = (worker: number): number => Math.ceil((worker * count) / workers);
  return Array.from({ length: workers }, (_, worker) => edge(worker + 1) - edge(worker));
}

/** In proportion to the speeds, rounded down; each item that is left goes to whoever would be done with it first. */
function fittedPortions(count: number, costs: readonly number[]): number[] {
  const speed = costs.reduce((sum, cost) => sum + 1 / cost, 0);
  const fitted = costs.map((cost) => Math.floor(count / cost / speed));
  const given = fitted.reduce((sum, each) => sum + each, 0);
  for (let left = count - given; left > 0; left--) {
    let first = 0;
    for (const [worker, cost] of costs.entries()) {
      if (((fitted[worker] ?? 0) + 1) * cost < ((fitted[first] ?? 0) + 1) * (costs[first] ?? 0)) first = worker;
    }
    fitted[first] = (fitted[first] ?? 0) + 1;
  }
  return fitted;
}

function slowest(counts: readonly number[], costs: readonly number[]): number {
  return counts.reduce((most, count, worker) => Math.max(most, count * (costs[worker] ?? 0)), 0);
}
