import type { Member, Members } from "../shared/fleet/membership.ts";
import type { State } from "./machine/types.ts";

/** What a welcomed worker is doing, as far as the coordinator knows; each is in one of these states. */
export const WORKER_STATES = ["ready", "joining", "late", "leaving", "standby"] as const;

/**
 * `joining`: welcomed, and making its engine ready; `ready`: is given shards; `standby`: could be, but fewer workers are
 * faster; `late`: others compute what it owes; `leaving`: finishes what it owes.
 */
export type WorkerState = (typeof WORKER_STATES)[number];

/** A worker as whoever watches the run sees it. */
export interface RosterEntry extends Pick<
  Member,
  "name" | "host" | "pid" | "engine" | "device" | "runtime" | "driver" | "ready"
> {
  readonly state: WorkerState;
  /** Since anything was heard of it, in ms. */
  readonly silentMs: number;
  /** What a shard takes it, smoothed, in ms; undefined until it is known. */
  readonly shardMs: number | undefined;
}

/**
 * The workers of a run. Pure.
 * @param silentMs since a worker was heard
 */
export function rosterOf(
  { members, useWorkers }: Pick<State, "members" | "useWorkers">,
  silentMs: (member: Member) => number,
): RosterEntry[] {
  const used = usedOf(members, useWorkers);
  return [...members.values()].map((member) => {
    const { name, host, pid, engine, device, runtime, driver, ready } = member;
    return {
      ...{ name, host, pid, engine, device, ready },
      ...(runtime === undefined ? {} : { runtime }),
      ...(driver === undefined ? {} : { driver }),
      state: stateOf(member, used.has(member.peer)),
      silentMs: silentMs(member),
      shardMs: member.speed?.shardMs,
    };
  });
}

/** The first of those that can be given work at once, as the machine takes them. */
function usedOf(members: Members, useWorkers: number): ReadonlySet<string> {
  const punctual = [...members.values()].filter(({ ready, late, leaving }) => ready && !late && leaving === undefined);
  return new Set(punctual.slice(0, useWorkers).map(({ peer }) => peer));
}

function stateOf({ ready, late, leaving }: Member, isUsed: boolean): WorkerState {
  if (leaving !== undefined) return "leaving";
  if (!ready) return "joining";
  if (late) return "late";
  return isUsed ? "ready" : "standby";
}
