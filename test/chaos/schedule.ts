import { Draws } from "./draws.ts";
import { FAULT_KINDS, type FaultKind } from "./fault-kinds.ts";

/** A fault to come. */
export interface PlannedFault {
  /** From 1. */
  readonly number: number;
  /** On a clock that runs only while a run is being disturbed. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Decides the rest: whom, for how long. */
  readonly seed: number;
}

/** So often a fault follows the one before it almost at once, so that they meet. */
const BURST_SHARE = 0.2;
const BURST_MS = 150;

/**
 * Faults without end: the same for the same seed, kinds and pace, whatever becomes of the run. Kinds are dealt like
 * cards, each as often as its weight, then all of them anew, so that none stays away for long.
 *
 * @param kinds at least one
 * @param meanPauseMs between two faults, on average
 */
export function* schedule(
  seed: number,
  kinds: readonly FaultKind[],
  meanPauseMs: number,
): Generator<PlannedFault, never> {
  const draws = new Draws(seed);
  const deck = kinds.flatMap((kind) => Array.from({ length: FAULT_KINDS[kind].weight }, () => kind));
  // So that bursts do not quicken the pace.
  const longMs = (meanPauseMs - (BURST_SHARE * BURST_MS) / 2) / (1 - BURST_SHARE);
  let atMs = 0;
  let number = 0;
  for (;;) {
    for (const kind of draws.shuffled(deck)) {
      const isBurst = draws.uniform() < BURST_SHARE;
      atMs += isBurst ? draws.between(0, BURST_MS) : draws.between(longMs * 0.25, longMs * 1.75);
      number += 1;
      yield { number, atMs, kind, seed: draws.below(2 ** 31) };
    }
  }
}
