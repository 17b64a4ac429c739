import type { SliceName } from "../model/contribution.ts";

/**
 * Which parameters a worker keeps, as both sides count it from the `parameters` messages sent and received.
 *
 * Of each slice a worker keeps three copies: the latest even version and the latest odd one, so that the next version
 * can arrive while this one is still needed, and the latest averaged one.
 */
export type Holdings = Readonly<Record<SliceName, readonly [even: number, odd: number, averaged: number]>>;

/** Number of copies of each slice. */
export const COPIES = 3;

export const NOTHING_HELD: Holdings = { dense: [-1, -1, -1], conv: [-1, -1, -1] };

/** Which of the copies a version belongs in. */
export function copyOf(version: number, averaged: boolean): 0 | 1 | 2 {
  if (averaged) return 2;
  return version % 2 === 0 ? 0 : 1;
}

/** The version of a slice that stands where this version belongs; -1 for none. */
export function heldAt(holdings: Holdings, slice: SliceName, version: number, averaged: boolean): number {
  return holdings[slice][copyOf(version, averaged)];
}

export function holding(holdings: Holdings, slice: SliceName, version: number, averaged: boolean): Holdings {
  const versions: [number, number, number] = [...holdings[slice]];
  versions[copyOf(version, averaged)] = version;
  return { ...holdings, [slice]: versions };
}
