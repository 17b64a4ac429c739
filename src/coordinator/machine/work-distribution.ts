import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import type { Evaluating, Training } from "./types.ts";
import { readyMembers } from "./membership.ts";
import { owedBy, setOwner, share, unowned } from "./work-board.ts";

/** Who is given which work. Part of the coordinator's machine. */

/**
 * Chunks of an evaluation that a worker is given at a time, each a message of its own: a large test set must not flood
 * its queue, and a slow worker must not hold up the others' evaluation.
 */
const CHUNKS_AT_A_TIME = 16;

/**
 * Gives unowned work to the ready workers: to idle ones if there are any, and not to `avoid` if possible. All shards of a
 * step are given out at once; of an evaluation a worker gets the next few chunks whenever it has done its last.
 */
export function distribute(draft: Draft, avoid?: PeerId): void {
  const { phase, plan, members } = draft.state;
  if (phase.type === "finished") return;
  const work = unowned(phase.board);
  const ready = readyMembers(members);
  const enough = ready.length >= Math.max(1, plan.minWorkers);
  noteWaiting(draft, work.length > 0 && !enough);
  if (work.length === 0 || !enough) return;
  const others = ready.filter(({ peer }) => peer !== avoid);
  const candidates = others.length > 0 ? others : ready;
  const idle = candidates.filter(({ peer }) => owedBy(phase.board, peer).length === 0);
  const isEvaluation = phase.type === "evaluating";
  const takers = idle.length > 0 || isEvaluation ? idle : candidates;
  if (takers.length === 0) return;
  for (const [i, items] of share<string>(phase.board, work, takers.length).entries()) {
    const taker = takers[i % takers.length];
    if (taker === undefined || items.length === 0) continue;
    give(draft, taker.peer, isEvaluation ? items.slice(0, CHUNKS_AT_A_TIME) : items);
  }
}

function give(draft: Draft, peer: PeerId, items: readonly number[]): void {
  const { phase, members } = draft.state;
  const member = members.get(peer);
  if (member === undefined || phase.type === "finished") return;
  const { session } = member;
  const isEvaluation = phase.type === "evaluating";
  const version = isEvaluation ? phase.version : phase.step;
  for (const slice of SLICE_NAMES) sendParameters(draft, peer, slice, version, isEvaluation);
  draft.set({ phase: withOwner(phase, items, peer) });
  const current = draft.state.members.get(peer);
  if (current !== undefined) draft.setMember({ ...current, progressAt: draft.at });
  if (isEvaluation) draft.effects.push({ type: "evaluate", peer, session, version, chunks: items });
  else draft.effects.push({ type: "assign", peer, session, step: version, shards: items });
}

export function sendParameters(draft: Draft, peer: PeerId, slice: SliceName, version: number, averaged: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined || heldAt(member.holds, slice, version, averaged) === version) return;
  draft.setMember({ ...member, holds: holding(member.holds, slice, version, averaged) });
  draft.effects.push({ type: "send-parameters", peer, session: member.session, version, slice, averaged });
}

function noteWaiting(draft: Draft, waits: boolean): void {
  if (!waits) draft.set({ waiting: undefined });
  else if (draft.state.waiting === undefined) draft.set({ waiting: { since: draft.at, reportedAt: draft.at } });
}

export function withOwner(
  phase: Training | Evaluating,
  items: readonly number[],
  owner: PeerId | undefined,
): Training | Evaluating {
  if (phase.type === "training") return { ...phase, board: setOwner(phase.board, items, owner) };
  return { ...phase, board: setOwner(phase.board, items, owner) };
}
