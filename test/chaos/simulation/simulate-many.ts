import type { FaultName } from "./faults.ts";
import { simulate, type Simulated } from "./simulate.ts";

/** What came of many schedules. */
export interface SimulatedMany {
  readonly schedules: number;
  /** How often each was done, in all schedules together. */
  readonly faults: ReadonlyMap<FaultName, number>;
  /** Lives of coordinators. */
  readonly lives: number;
  /** Longest time from the end of all disturbances to the result, in ms of the world's time. */
  readonly longestRecoveryMs: number;
}

/**
 * Simulates one schedule after the other.
 *
 * @param seed of the first; the next has the next one
 * @param onDone is told of each
 * @throws Error that names the seed, at the first that does not come to what it comes to undisturbed
 */
export async function simulateMany(
  seed: number,
  count: number,
  onDone: (seed: number, simulated: Simulated) => void = () => {},
): Promise<SimulatedMany> {
  const faults = new Map<FaultName, number>();
  let [lives, longestRecoveryMs] = [0, 0];
  for (let number = seed; number < seed + count; number++) {
    const simulated = await simulate(number);
    for (const [name, times] of simulated.faults) faults.set(name, (faults.get(name) ?? 0) + times);
    lives += simulated.lives;
    longestRecoveryMs = Math.max(longestRecoveryMs, simulated.recoveryMs);
    onDone(number, simulated);
  }
  return { schedules: count, faults, lives, longestRecoveryMs };
}
