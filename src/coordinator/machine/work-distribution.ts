import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { boardOf } from "./course.ts";
import type { Training } from "./types.ts";
import { latenessOf, type Member, readyMembers } from "../../shared/fleet/membership.ts";
import { costsOf, punctual } from "../../shared/fleet/pace.ts";
import {
  addOwner,
  hasUnattended,
  overdue,
  owedBy,
  owes,
  removeOwner,
  share,
  unowned,
} from "../../shared/fleet/work-board.ts";

/** Who is given which work. Part of the coordinator's machine. */

/** Most chunks of an evaluation in a worker's queue, each a message of its own: a large test set must not flood it. */
const CHUNKS_AT_A_TIME = 16;

/**
 * Gives unattended work to the ready workers. Work that nobody does goes to idle ones, or else to all; work that somebody
 * is late with goes to idle ones only, as it may still come. All shards of a step are given out at once; of an evaluation
 * a worker gets the next few chunks whenever it has done its last.
 */
export function distribute(draft: Draft): void {
  const { phase, plan, members } = draft.state;
  if (phase.type === "finished") return;
  const isLate = latenessOf(members);
  if (!hasUnattended<string>(phase.board, isLate)) {
    noteWaiting(draft, false);
    return;
  }
  const free = unowned<string>(phase.board);
  const ready = readyMembers(members);
  const enough = ready.length >= Math.max(1, plan.minWorkers);
  noteWaiting(draft, !enough && free.length > 0);
  if (!enough) return;
  const workers = punctual(ready);
  const idle = workers.filter(({ peer }) => !owes<string>(phase.board, peer));
  const late = isLate === undefined || idle.length === 0 ? [] : overdue<string>(phase.board, isLate);
  if (phase.type === "evaluating") {
    let rest = [...free, ...late];
    for (const { peer } of idle) {
      const portion = portionOf(rest.length, workers.length);
      if (portion > 0) give(draft, peer, rest.slice(0, portion));
      rest = rest.slice(portion);
    }
    return;
  }
  const chosen = workers.slice(0, draft.state.useWorkers);
  const spare = chosen.filter((worker) => idle.includes(worker));
  const takers = spare.length > 0 ? spare : chosen;
  giveToGood(draft, phase, takers, free);
  if (late.length > 0) giveToGood(draft, phase, idle.slice(0, Math.max(draft.state.useWorkers, 1)), late);
}

function giveShards(draft: Draft, takers: readonly Member[], shards: readonly number[]): void {
  const { phase } = draft.state;
  if (phase.type !== "training" || shards.length === 0 || takers.length === 0) return;
  for (const [i, items] of share<string>(phase.board, shards, costsOf(takers)).entries()) {
    const taker = takers[i % takers.length];
    if (taker !== undefined && items.length > 0) give(draft, taker.peer, items);
  }
}

/** How long it is waited for another worker that may compute what one has computed badly. */
const COMPANY_TIMEOUT_MS = 5_000;
/** And how long at least before the same worker computes it again: its bad answer may come twice. */
const SAME_AGAIN_MS = 1_000;

function giveToGood(draft: Draft, phase: Training, takers: readonly Member[], shards: readonly number[]): void {
  if (phase.nonFinite.length === 0) giveShards(draft, takers, shards);
  else for (const [bad, group] of byFailures(phase, shards)) giveUnless(draft, bad, takers, group);
}

/** Shards by the workers, in one string, for whom they came out not finite. */
function byFailures({ nonFinite }: Training, shards: readonly number[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const shard of shards) {
    const bad = nonFinite.filter((each) => each.shard === shard).map(({ worker }) => worker);
    const key = [...new Set(bad)].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), shard]);
  }
  return groups;
}

/** A shard that came out not finite goes to somebody else: the same once more would say little about the device. */
function giveUnless(draft: Draft, bad: string, takers: readonly Member[], shards: readonly number[]): void {
  const isGood = ({ name }: Member): boolean => !bad.split(" ").includes(name);
  const others = takers.filter(isGood);
  const anyone = others.length > 0 ? others : readyMembers(draft.state.members).filter(isGood);
  const { phase, companyAt } = draft.state;
  const badAt = phase.type === "training" ? Math.max(...phase.nonFinite.map(({ at }) => at)) : draft.at;
  const isAlone = draft.at - companyAt > COMPANY_TIMEOUT_MS && draft.at - badAt > SAME_AGAIN_MS;
  giveShards(draft, anyone.length === 0 && isAlone ? takers : anyone, shards);
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
  if (phase.type === "training") draft.set({ phase: { ...phase, board: addOwner(phase.board, items, peer) } });
  else draft.set({ phase: { ...phase, board: addOwner(phase.board, items, peer) } });
  draft.workBegins(peer);
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
 * where something else comes first: an evaluation, the end of an interrupted run or of its time, a pause for lack of
 * workers.
 */
export function giveAhead(draft: Draft, slice: SliceName): void {
  const { phase, plan, members, interruptedBy, isTimeUp } = draft.state;
  if (phase.type !== "training" || interruptedBy !== undefined || isTimeUp) return;
  const step = phase.step + 1;
  const ready = readyMembers(members);
  if (step % plan.stepsPerEpoch === 0 || ready.length < plan.minWorkers) return;
  const workers = punctual(ready).slice(0, draft.state.useWorkers);
  let ahead = boardOf(plan, step);
  for (const [i, items] of share(ahead, unowned(ahead), costsOf(workers)).entries()) {
    const taker = workers[i];
    if (taker === undefined || items.length === 0) continue;
    ahead = addOwner(ahead, items, taker.peer);
    assign(draft, taker.peer, step, items, [slice]);
  }
  draft.set({ phase: { ...phase, ahead } });
}

/** What a worker was given of the next step is nobody's again, and will be given out once that step begins. */
export function takeBackAhead(draft: Draft, peer: PeerId): void {
  const { phase } = draft.state;
  if (phase.type !== "training" || phase.ahead === undefined) return;
  draft.set({ phase: { ...phase, ahead: removeOwner(phase.ahead, owedBy(phase.ahead, peer), peer) } });
}

/** Takes items of what is under way back from a worker. */
export function takeBack(draft: Draft, items: readonly number[], peer: PeerId): void {
  const { phase } = draft.state;
  if (phase.type === "training") draft.set({ phase: { ...phase, board: removeOwner(phase.board, items, peer) } });
  if (phase.type === "evaluating") draft.set({ phase: { ...phase, board: removeOwner(phase.board, items, peer) } });
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
