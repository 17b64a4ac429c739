import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { boardOf } from "./course.ts";
import type { Evaluating, Training } from "./types.ts";
import { readyMembers } from "./membership.ts";
import { hasUnowned, owedBy, setOwner, share, unowned } from "./work-board.ts";

/** Who is given which work. Part of the coordinator's machine. */

/** Most chunks of an evaluation in a worker's queue, each a message of its own: a large test set must not flood it. */
const CHUNKS_AT_A_TIME = 16;

/**
 * Gives unowned work to the ready workers: to idle ones if there are any, and not to `avoid` if possible. All shards of a
 * step are given out at once; of an evaluation a worker gets the next few chunks whenever it has done its last.
 */
export function distribute(draft: Draft, avoid?: PeerId): void {
  const { phase, plan, members } = draft.state;
  if (phase.type === "finished") return;
  if (!hasUnowned<string>(phase.board)) {
    noteWaiting(draft, false);
    return;
  }
  const work = unowned<string>(phase.board);
  const ready = readyMembers(members);
  const enough = ready.length >= Math.max(1, plan.minWorkers);
  noteWaiting(draft, !enough);
  if (!enough) return;
  const workers = phase.type === "training" ? ready.slice(0, draft.state.useWorkers) : ready;
  const others = workers.filter(({ peer }) => peer !== avoid);
  const candidates = others.length > 0 ? others : workers;
  const idle = candidates.filter(({ peer }) => owedBy<string>(phase.board, peer).length === 0);
  if (phase.type === "evaluating") {
    let rest = work;
    for (const { peer } of idle) {
      const portion = portionOf(rest.length, candidates.length);
      if (portion > 0) give(draft, peer, rest.slice(0, portion));
      rest = rest.slice(portion);
    }
    return;
  }
  const takers = idle.length > 0 ? idle : candidates;
  for (const [i, items] of share<string>(phase.board, work, takers.length).entries()) {
    const taker = takers[i % takers.length];
    if (taker === undefined || items.length === 0) continue;
    give(draft, taker.peer, items);
  }
}

/**
 * How many of the remaining chunks a worker is given next: fewer and fewer, so that all workers are done at about the same
 * time, however fast each is (guided self-scheduling, Polychronopoulos and Kuck 1987, with half of its portions).
 */
function portionOf(rest: number, workers: number): number {
  const fair = workers === 1 ? rest : Math.ceil(rest / (2 * workers));
  return Math.min(CHUNKS_AT_A_TIME, fair);
}

function give(draft: Draft, peer: PeerId, items: readonly number[]): void {
  const { phase } = draft.state;
  if (phase.type === "finished") return;
  draft.set({ phase: withOwner(phase, items, peer) });
  draft.touch(peer);
  if (phase.type === "training") {
    assign(draft, peer, phase.step, items, SLICE_NAMES);
    return;
  }
  const { version } = phase;
  for (const slice of SLICE_NAMES) sendParameters(draft, peer, slice, version, true);
  const session = draft.state.members.get(peer)?.session;
  if (session !== undefined) draft.effects.push({ type: "evaluate", peer, session, version, chunks: items });
}

/**
 * Gives all shards of the next step to the ready workers, with the slice of its parameters that is there already. Not
 * where something else comes first: an evaluation, an interrupt's end, a pause for lack of workers.
 */
export function giveAhead(draft: Draft, slice: SliceName): void {
  const { phase, plan, members, interruptedBy } = draft.state;
  if (phase.type !== "training" || interruptedBy !== undefined) return;
  const step = phase.step + 1;
  const ready = readyMembers(members);
  if (step % plan.stepsPerEpoch === 0 || ready.length < plan.minWorkers) return;
  const workers = ready.slice(0, draft.state.useWorkers);
  let ahead = boardOf(plan, step);
  for (const [i, items] of share(ahead, unowned(ahead), workers.length).entries()) {
    const taker = workers[i];
    if (taker === undefined || items.length === 0) continue;
    ahead = setOwner(ahead, items, taker.peer);
    assign(draft, taker.peer, step, items, [slice]);
  }
  draft.set({ phase: { ...phase, ahead } });
}

/** What a worker was given of the next step is nobody's again, and will be given out once that step begins. */
export function takeBackAhead(draft: Draft, peer: PeerId): void {
  const { phase } = draft.state;
  if (phase.type !== "training" || phase.ahead === undefined) return;
  draft.set({ phase: { ...phase, ahead: setOwner(phase.ahead, owedBy(phase.ahead, peer), undefined) } });
}

/** @param available the slices of the step's version that exist: those that the worker lacks go along */
function assign(
  draft: Draft,
  peer: PeerId,
  step: number,
  shards: readonly number[],
  available: readonly SliceName[],
): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  const slices = available.filter((slice) => heldAt(member.holds, slice, step, false) !== step);
  const holds = slices.reduce((held, slice) => holding(held, slice, step, false), member.holds);
  draft.setMember({ ...member, holds });
  draft.effects.push({ type: "assign", peer, session: member.session, step, shards, slices });
}

export function sendParameters(draft: Draft, peer: PeerId, slice: SliceName, version: number, averaged: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined || heldAt(member.holds, slice, version, averaged) === version) return;
  draft.setMember({ ...member, holds: holding(member.holds, slice, version, averaged) });
  draft.effects.push({ type: "send-parameters", peer, session: member.session, version, slice, averaged });
}

function noteWaiting(draft: Draft, waits: boolean): void {
  if (!waits && draft.state.waiting !== undefined) draft.set({ waiting: undefined });
  else if (waits && draft.state.waiting === undefined)
    draft.set({ waiting: { since: draft.at, reportedAt: draft.at } });
}

export function withOwner(
  phase: Training | Evaluating,
  items: readonly number[],
  owner: PeerId | undefined,
): Training | Evaluating {
  if (phase.type === "training") return { ...phase, board: setOwner(phase.board, items, owner) };
  return { ...phase, board: setOwner(phase.board, items, owner) };
}
