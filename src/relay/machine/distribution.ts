import { latenessOf, readyMembers } from "../../shared/fleet/membership.ts";
import { costsOf, punctual } from "../../shared/fleet/pace.ts";
import { addOwner, hasUnattended, overdue, owes, share, unowned } from "../../shared/fleet/work-board.ts";
import type { SliceName } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { Assign, Evaluate } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { isCurrent, owesCurrent, slicesFor } from "./tasks.ts";
import type { Child, Task } from "./types.ts";

/** Who below is given which work. Part of the relay's machine. */

/** Chunks of an evaluation that a member has at least: while it answers one it has another. */
const CHUNKS_AT_A_TIME = 2;

/**
 * Gives unattended work to the ready members. Work that nobody does goes to idle ones, or else to all; work that somebody
 * is late with goes to idle ones only, as it may still come.
 */
export function distribute(draft: Draft): void {
  const { tasks, members } = draft.state;
  const isLate = latenessOf(members);
  if (!tasks.some(({ board }) => hasUnattended(board, isLate))) return;
  const workers = punctual(readyMembers(members)) as readonly Child[];
  if (workers.length === 0) return;
  for (const { id } of tasks) {
    const task = taskOf(draft, id);
    if (task === undefined || !hasUnattended(task.board, isLate)) continue;
    if (task.order.type === "evaluate") giveChunk(draft, task, workers, isLate);
    else giveShards(draft, task, workers, isLate);
  }
}

type IsLate = ReturnType<typeof latenessOf>;

const taskOf = (draft: Draft, id: number): Task | undefined => draft.state.tasks.find((task) => task.id === id);

function giveShards(draft: Draft, task: Task, workers: readonly Child[], isLate: IsLate): void {
  const current = isCurrent(draft.state, task);
  const idle = current ? workers.filter(({ peer }) => !owesCurrent(draft.state, peer)) : [];
  giveToGood(draft, task, idle.length > 0 ? idle : workers, unowned(task.board));
  const now = taskOf(draft, task.id);
  if (now !== undefined && isLate !== undefined && idle.length > 0) {
    giveToGood(draft, now, idle, overdue(now.board, isLate));
  }
}

/** An item that came out not finite goes to somebody else, if there is anybody. */
function giveToGood(draft: Draft, task: Task, takers: readonly Child[], items: readonly number[]): void {
  if (task.bad.length === 0) {
    shareOut(draft, task.id, takers, items);
    return;
  }
  const groups = new Map<string, number[]>();
  for (const item of items) {
    const peers = task.bad.filter((each) => each.item === item).map(({ peer }) => peer);
    const key = [...new Set(peers)].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  for (const [bad, group] of groups) {
    const isGood = ({ peer }: Child): boolean => !bad.split(" ").includes(peer);
    const others = takers.filter(isGood);
    const anyone = others.length > 0 ? others : (readyMembers(draft.state.members) as Child[]).filter(isGood);
    shareOut(draft, task.id, anyone.length > 0 ? anyone : takers, group);
  }
}

function shareOut(draft: Draft, id: number, takers: readonly Child[], items: readonly number[]): void {
  const task = taskOf(draft, id);
  if (task === undefined || items.length === 0) return;
  for (const [i, portion] of share(task.board, items, costsOf(takers)).entries()) {
    const taker = takers[i % takers.length];
    if (taker !== undefined && portion.length > 0) give(draft, id, taker.peer, portion);
  }
}

/** Few at a time, to whoever would be done with it first: how fast anyone is shows only as they answer. */
function giveChunk(draft: Draft, task: Task, workers: readonly Child[], isLate: IsLate): void {
  const isTaken = unowned(task.board).length === 0;
  if (isTaken && (isLate === undefined || overdue(task.board, isLate).length === 0)) return;
  const chunks = draft.state.tasks.filter(({ order }) => order.type === "evaluate");
  const most = isTaken ? 1 : Math.max(CHUNKS_AT_A_TIME, Math.ceil(chunks.length / (2 * workers.length)));
  const costs = costsOf(workers);
  let [best, soonest]: [Child | undefined, number] = [undefined, Infinity];
  for (const [i, worker] of workers.entries()) {
    const owed = chunks.filter(({ board }) => owes(board, worker.peer)).length;
    const done = (owed + 1) * (costs[i] ?? 1);
    if (owed < most && done < soonest) [best, soonest] = [worker, done];
  }
  if (best !== undefined) give(draft, task.id, best.peer, [0]);
}

function give(draft: Draft, id: number, peer: PeerId, items: readonly number[]): void {
  const task = taskOf(draft, id);
  const member = draft.state.members.get(peer);
  if (task === undefined || member === undefined) return;
  draft.setTask({ ...task, board: addOwner(task.board, items, peer) });
  if (isCurrent(draft.state, task)) draft.workBegins(peer);
  const { order } = task;
  if (order.type === "assign") assign(draft, task, order, peer, items);
  else evaluate(draft, order, peer);
}

function assign(draft: Draft, task: Task, order: Assign, peer: PeerId, items: readonly number[]): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  const { step } = order;
  const slices = slicesFor(draft.state, task).filter((slice) => heldAt(member.holds, slice, step, false) !== step);
  const holds = slices.reduce((held, slice) => holding(held, slice, step, false), member.holds);
  draft.updateMember(peer, { holds });
  const shards = items.flatMap((item) => order.shards[item] ?? []);
  const message = { ...order, session: member.session, shards, slices };
  draft.effects.push({ type: "send-assignment", peer, task: task.id, items, message });
}

function evaluate(draft: Draft, order: Evaluate, peer: PeerId): void {
  const session = draft.state.members.get(peer)?.session;
  if (session === undefined) return;
  for (const slice of ["dense", "conv"] as const) sendSlice(draft, peer, slice, order.version, true);
  draft.send(peer, { ...order, session });
}

/** Passes parameters on to a member that lacks them. */
export function sendSlice(draft: Draft, peer: PeerId, slice: SliceName, version: number, averaged: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined || heldAt(member.holds, slice, version, averaged) === version) return;
  draft.updateMember(peer, { holds: holding(member.holds, slice, version, averaged) });
  const { session } = member;
  const message = { type: "parameters", session, version, slice, averaged } as const;
  draft.effects.push({ type: "send-parameters", peer, message });
}
