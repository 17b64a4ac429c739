import type { Spent } from "../protocol/messages.ts";
import { type Member, type Members, readyMembers } from "./membership.ts";

/** How fast the members of a fleet are, and when one of them is late. Pure. */

/** Takes a share of each new measurement, so that one hiccup does not count for much. */
const NEWEST_SHARE = 0.1;
/** Timers have a grain: a shard takes some time, whatever they say. */
const LEAST_MS = 0.01;
/** A speed that was measured so long ago says nothing any more: a worker may have been slow for a while. */
const SPEED_VALID_MS = 10_000;

/** A shard is late after this time, or after so many times what a shard usually takes. */
const LATE_MS = 1_000;
const LATE_FACTOR = 4;

const PING_INTERVAL_MS = 1_000;
/** A connection's end is noticed by sending: probe sooner where the step waits for somebody. */
const PING_INTERVAL_OWING_MS = 150;

/** An assignment's time is measured as a whole; its last message comes with all of it. @param shards how many it had */
export function speedOf({ speed }: Member, spent: Spent, shards: number, at: number): Member["speed"] {
  const measured = Math.max(LEAST_MS, (spent.gather + spent.compute) / 1000 / shards);
  const shardMs = speed === undefined ? measured : speed.shardMs + NEWEST_SHARE * (measured - speed.shardMs);
  return { shardMs, at };
}

/** Whether a member's speed was measured so long ago that it is to be forgotten. */
export function isOutworn({ speed }: Member, at: number): boolean {
  return speed !== undefined && at - speed.at > SPEED_VALID_MS;
}

/** What a shard costs each worker; the median where it was not measured. */
export function costsOf(workers: readonly Member[]): number[] {
  const known = typicalShardMs(workers) ?? 1;
  return workers.map(({ speed }) => speed?.shardMs ?? known);
}

/** The median of what a shard takes the workers, in ms; undefined when nobody knows. */
function typicalShardMs(workers: readonly Member[]): number | undefined {
  const known = workers.flatMap(({ speed }) => (speed === undefined ? [] : [speed.shardMs])).sort((a, b) => a - b);
  return known[Math.floor((known.length - 1) / 2)];
}

/** Those that are not late, if there are any. */
export function punctual(ready: readonly Member[]): readonly Member[] {
  const able = ready.filter(({ late }) => !late);
  return able.length > 0 ? able : ready;
}

/** After how long without progress a member that owes work is late, in ms. */
export function latenessMs(members: Members): number {
  return Math.max(LATE_MS, LATE_FACTOR * (typicalShardMs(readyMembers(members)) ?? 0));
}

/** Whether it is time to ask a member how far it is. @param owing whether it owes work */
export function isPingDue({ pingedAt }: Member, owing: boolean, at: number): boolean {
  return at - pingedAt >= (owing ? PING_INTERVAL_OWING_MS : PING_INTERVAL_MS);
}
