import type { Hello } from "../../shared/protocol/messages.ts";
import type { Draft } from "./draft.ts";
import { type Member, readyMembers } from "../../shared/fleet/membership.ts";
import type { State } from "./types.ts";

/**
 * Workers that join and are lost again and again: each time their shards are computed twice. Part of the coordinator's
 * machine.
 *
 * The place counts, since a program that a supervisor starts again is another worker each time.
 */

/** A worker that was lost within this time of joining has flapped; a place is forgiven after as long. */
const SHORT_LIFE_MS = 10_000;
const FORGIVEN_MS = 60_000;
/** So many times are bad luck. */
const LOSSES_FORGIVEN = 3;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
const MAX_PLACES = 1_000;

const placeOf = ({ host, device }: Pick<Hello, "host" | "device">): string => `${device} of ${host}`;

export function noteLoss(draft: Draft, member: Member): void {
  if (draft.at - member.joinedAt > SHORT_LIFE_MS) return;
  const place = placeOf(member);
  const { flapping } = draft.state;
  const known = flapping.get(place);
  const losses = known !== undefined && draft.at - known.lostAt < FORGIVEN_MS ? known.losses + 1 : 1;
  const pauseMs = losses <= LOSSES_FORGIVEN ? 0 : FIRST_PAUSE_MS * 2 ** (losses - LOSSES_FORGIVEN - 1);
  const until = draft.at + Math.min(pauseMs, MAX_PAUSE_MS);
  // Whoever can reach the port can claim any name.
  const others = [...flapping].filter(([name]) => name !== place).slice(-MAX_PLACES);
  draft.set({ flapping: new Map([...others, [place, { losses, lostAt: draft.at, until }]]) });
}

/** Why a worker has to wait before it is welcome, or undefined. Where it is needed it is always welcome. */
export function quarantineOf({ flapping, members, plan }: State, hello: Hello, at: number): string | undefined {
  if (flapping.size === 0) return undefined;
  const found = flapping.get(placeOf(hello));
  if (found === undefined || found.until <= at) return undefined;
  const others = readyMembers(members).filter(({ late }) => !late);
  if (others.length < Math.max(1, plan.minWorkers)) return undefined;
  const seconds = Math.ceil((found.until - at) / 1000);
  return `${found.losses} workers on ${placeOf(hello)} were lost soon after they had joined: welcome again in ${seconds} s`;
}
