import { newBoard, owners } from "../../shared/fleet/work-board.ts";
import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { Assign, Evaluate, Parameters, Ping } from "../../shared/protocol/messages.ts";
import { sendSlice } from "./distribution.ts";
import type { Draft } from "./draft.ts";
import { rejoin } from "./session.ts";
import { closeTask, heldFor, isCurrent, slicesFor, versionOf } from "./tasks.ts";
import type { Part, Task } from "./types.ts";

/** What whoever is above wants done, and on which parameters: as a worker takes it. Part of the relay's machine. */

export function takeParameters(draft: Draft, { slice, version, averaged }: Parameters): void {
  keep(draft, slice, version, averaged, 0);
}

export function takeOrder(draft: Draft, order: Assign | Evaluate): void {
  if (order.type === "assign") {
    // The first frame holds the samples.
    for (const [i, slice] of order.slices.entries()) keep(draft, slice, order.step, false, 1 + i);
  }
  const { state } = draft;
  const held = heldFor(state, { order });
  const version = versionOf({ order });
  // Work that comes late: its time has passed.
  if (held.some((newer) => newer > version)) return;
  // A message may come twice.
  if (state.tasks.some((task) => isSame(task, order))) return;
  // Of a step that is assigned ahead, some parameters come along and the others follow. An evaluation's are all there.
  const here = slicesFor(state, { order }).length;
  const enough = order.type === "assign" ? here > 0 : here === SLICE_NAMES.length;
  if (!state.ready || !enough) {
    rejoin(draft, `work on version ${version} came without its parameters`);
    return;
  }
  open(draft, order);
}

function open(draft: Draft, order: Assign | Evaluate): void {
  const id = draft.state.tasksTaken + 1;
  const shards = order.type === "assign" ? order.shards.map(({ index }) => index) : [order.chunk];
  const parts: readonly Part[] = order.type === "assign" ? SLICE_NAMES : ["count"];
  const places = new Map(shards.map((shard, place) => [shard, place]));
  const task: Task = { id, order, board: newBoard(shards.length, parts), places, begun: undefined, bad: [] };
  draft.set({ tasks: [...draft.state.tasks, task], tasksTaken: id });
  if (order.type === "assign") draft.effects.push({ type: "open-task", task: id, order });
  beginIfCurrent(draft, task);
}

/** Once a slice was passed on, its shards may have to be computed once more: the numbers were not finite. */
function isSame({ order, board }: Task, other: Assign | Evaluate): boolean {
  if (order.type === "evaluate") {
    return other.type === "evaluate" && order.version === other.version && order.chunk === other.chunk;
  }
  if (other.type === "evaluate" || order.step !== other.step) return false;
  const isWhole = board.left.dense > 0 && board.left.conv > 0;
  return isWhole && String(order.shards.map(indexOf)) === String(other.shards.map(indexOf));
}

const indexOf = ({ index }: { readonly index: number }): number => index;

function keep(draft: Draft, slice: SliceName, version: number, averaged: boolean, frame: number): void {
  const { holds } = draft.state;
  // An old version that comes late, or again, must not take the place of a newer one.
  if (version < heldAt(holds, slice, version, averaged)) return;
  draft.set({ holds: holding(holds, slice, version, averaged) });
  draft.effects.push({ type: "keep-parameters", version, slice, averaged, frame });
  dropOutdated(draft);
  for (const task of draft.state.tasks) {
    if (versionOf(task) !== version || (task.order.type === "evaluate") !== averaged) continue;
    for (const peer of owners(task.board)) sendSlice(draft, peer, slice, version, averaged);
    beginIfCurrent(draft, task);
  }
}

/** Work whose parameters are replaced has been done by others meanwhile. */
function dropOutdated(draft: Draft): void {
  for (const task of draft.state.tasks) {
    if (heldFor(draft.state, task).some((held) => held > versionOf(task))) closeTask(draft, task);
  }
}

/** From when all that a task needs is here its time counts, and that of those below who work on it. */
function beginIfCurrent(draft: Draft, task: Task): void {
  if (task.begun !== undefined || !isCurrent(draft.state, task)) return;
  draft.setTask({ ...task, begun: { at: draft.at, waitMs: Math.max(0, draft.at - draft.state.doneAt) } });
  for (const peer of owners(task.board)) draft.workBegins(peer);
}

/** All that the ping's step needs was sent before it. */
export function answerPing(draft: Draft, { session, step, id }: Ping): void {
  const { state } = draft;
  const starved = state.tasks.find((task) => versionOf(task) <= step && !isCurrent(state, task));
  if (starved !== undefined) {
    rejoin(draft, `parameters of version ${versionOf(starved)} were lost`);
    return;
  }
  const { computed, ready, tasks } = state;
  const idle = tasks.every((task) => versionOf(task) > step);
  draft.answer({ type: "pong", session, id, computed, ready, idle });
}
