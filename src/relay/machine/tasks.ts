import { deliver, owedBy, owes, removeOwner } from "../../shared/fleet/work-board.ts";
import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt } from "../../shared/protocol/holdings.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import type { Part, State, Task } from "./types.ts";

/** What is known of the tasks that are not answered yet. Part of the relay's machine. */

/** Of the parameters that a task needs. */
export const versionOf = ({ order }: Pick<Task, "order">): number =>
  order.type === "assign" ? order.step : order.version;

/** The versions that stand where the task's slices belong. */
export function heldFor({ holds }: State, task: Pick<Task, "order">): number[] {
  return SLICE_NAMES.map((slice) => heldAt(holds, slice, versionOf(task), task.order.type === "evaluate"));
}

/** The slices of the task's version that are here. */
export function slicesFor({ holds }: State, task: Pick<Task, "order">): SliceName[] {
  const version = versionOf(task);
  return SLICE_NAMES.filter((slice) => heldAt(holds, slice, version, task.order.type === "evaluate") === version);
}

/** Whether all that the task needs is here, so that those below can compute it: it may have come ahead of time. */
export function isCurrent(state: State, task: Task): boolean {
  return slicesFor(state, task).length === SLICE_NAMES.length;
}

/** The step of which, and of all before it, those below have been sent all that they need for their work. */
export function stepUnderWay({ holds }: State): number {
  const whole = holds.dense.filter((version, copy) => holds.conv[copy] === version);
  return Math.max(0, ...whole);
}

/** Whether a member owes answers that could have come. */
export function owesCurrent(state: State, peer: PeerId): boolean {
  return state.tasks.some((task) => owes(task.board, peer) && isCurrent(state, task));
}

/** Takes from a member whatever it owes. @returns how many items nobody else works on */
export function takeBackAll(draft: Draft, peer: PeerId): number {
  let orphaned = 0;
  for (const task of draft.state.tasks) {
    const items = owedBy(task.board, peer);
    takeBack(draft, task, items, peer);
    orphaned += items.filter((item) => task.board.items[item]?.owners.length === 1).length;
  }
  return orphaned;
}

/** Takes from a member what it was given ahead of time. */
export function takeBackAhead(draft: Draft, peer: PeerId): void {
  for (const task of draft.state.tasks) {
    if (!isCurrent(draft.state, task)) takeBack(draft, task, owedBy(task.board, peer), peer);
  }
}

export function takeBack(draft: Draft, task: Task, items: readonly number[], peer: PeerId): void {
  if (items.length > 0) draft.setTask({ ...task, board: removeOwner(task.board, items, peer) });
}

/** @returns the task with this part of its items delivered */
export function withDelivered(draft: Draft, task: Task, items: readonly number[], part: Part): Task {
  const delivered = { ...task, board: deliver(task.board, items, part) };
  draft.setTask(delivered);
  return delivered;
}

/** Removes a task, which is answered or not wanted any more. */
export function closeTask(draft: Draft, { id, order }: Task): void {
  draft.set({ tasks: draft.state.tasks.filter((other) => other.id !== id) });
  if (order.type === "assign") draft.effects.push({ type: "close-task", task: id });
}
