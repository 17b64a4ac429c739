import { readyMembers } from "../../shared/fleet/membership.ts";
import { speedOf } from "../../shared/fleet/pace.ts";
import { isDelivered, judge, owedPart } from "../../shared/fleet/work-board.ts";
import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { LIMITS, type Spent, type WorkerMessage } from "../../shared/protocol/messages.ts";
import { shardsUnder } from "../../shared/reduction/tree.ts";
import type { Draft } from "./draft.ts";
import { expel } from "./members.ts";
import { closeTask, takeBack, versionOf, withDelivered } from "./tasks.ts";
import type { Child, Task } from "./types.ts";

/** Which answers from below count, and what is passed on of them. Part of the relay's machine. */

type Result = Extract<WorkerMessage, { type: "result" }>;

export function takeResult(draft: Draft, member: Child, message: Result, finite: boolean): void {
  const tasks = draft.state.tasks.filter(({ order }) => order.type === "assign" && order.step === message.step);
  if (tasks.length === 0) {
    draft.reject("stale-step");
    return;
  }
  let isDuplicate = false;
  for (const task of tasks) {
    const items = itemsUnder(task, message);
    const verdict = items === undefined ? "not-owed" : judge(task.board, member.peer, items, message.slice);
    if (verdict === "owed" && items !== undefined) {
      takeOwed(draft, task, member, items, message, finite);
      return;
    }
    isDuplicate ||= verdict === "duplicate";
  }
  draft.reject(isDuplicate ? "duplicate" : "not-owed");
  // Sums over others' shards too cannot be used, and no other answer for its own is to come: give those out again.
  for (const task of tasks) {
    const places = shardsOf(task, message).flatMap((shard) => task.places.get(shard) ?? []);
    takeBack(draft, task, owedPart(task.board, member.peer, places, message.slice), member.peer);
  }
}

function shardsOf({ order }: Task, { nodes }: Result): readonly number[] {
  return order.type === "assign" ? (shardsUnder(nodes, order.shardCount) ?? []) : [];
}

/** The task's items under the message's nodes, or undefined where these are more than the task's, or no nodes at all. */
function itemsUnder(task: Task, message: Result): number[] | undefined {
  const shards = shardsOf(task, message);
  const items = shards.flatMap((shard) => task.places.get(shard) ?? []);
  return shards.length > 0 && items.length === shards.length ? items : undefined;
}

function takeOwed(
  draft: Draft,
  task: Task,
  member: Child,
  items: readonly number[],
  message: Result,
  finite: boolean,
): void {
  const { slice, nodes, spent } = message;
  if (!finite && isToBeTriedElsewhere(draft, task, member, items, slice)) {
    takeNonFinite(draft, task, member, items, slice);
    return;
  }
  const done = withDelivered(draft, task, items, slice);
  draft.progress(member.peer, slice === "conv" ? { speed: speedOf(member, spent, items.length, draft.at) } : {});
  draft.effects.push({ type: "accept", task: task.id, slice, nodes });
  if (!isDelivered(done.board, slice) || done.order.type !== "assign") return;
  const { session, step } = done.order;
  draft.effects.push({ type: "forward", task: task.id, session, step, slice, spent: spentOn(draft, done) });
  if (SLICE_NAMES.every((each) => isDelivered(done.board, each))) finishTask(draft, done);
}

function finishTask(draft: Draft, task: Task): void {
  closeTask(draft, task);
  draft.set({ doneAt: draft.at, stalls: 0 });
}

/**
 * What the task took this relay, with all that those below did at the same time: so a shard costs it the less the more
 * they are, and it is given its share.
 */
function spentOn(draft: Draft, { begun }: Task): Spent {
  const { at, waitMs } = begun ?? { at: draft.at, waitMs: 0 };
  const compute = micros(draft.at - Math.max(at, draft.state.doneAt));
  return { wait: micros(waitMs), gather: 0, compute, held: micros(draft.at - at) };
}

function micros(ms: number): number {
  return Math.min(LIMITS.micros, Math.max(0, Math.round(ms * 1000)));
}

/** The same from a second member is no matter of one bad device: whoever is above is to judge it. */
function isToBeTriedElsewhere(
  draft: Draft,
  { bad }: Task,
  member: Child,
  items: readonly number[],
  slice: SliceName,
): boolean {
  if (bad.some((each) => each.slice === slice && items.includes(each.item))) return false;
  return isAnotherReady(draft, member);
}

function isAnotherReady(draft: Draft, member: Child): boolean {
  return readyMembers(draft.state.members).some(({ peer }) => peer !== member.peer);
}

/** A device that computes such numbers so often, while others' are finite, has gone bad. */
const BAD_ANSWERS_FORGIVEN = 2;

function takeNonFinite(draft: Draft, task: Task, member: Child, items: readonly number[], slice: SliceName): void {
  draft.reject("not-finite");
  const { name, peer } = member;
  const step = versionOf(task) + 1;
  draft.say("warning", `${name} computed a gradient that is not finite at step ${step}: another one computes it`, name);
  const noted = { ...task, bad: [...task.bad, ...items.map((item) => ({ item, slice, peer }))] };
  draft.setTask(noted);
  takeBack(draft, noted, items, peer);
  const badAnswers = member.badAnswers + 1;
  draft.progress(peer, { badAnswers });
  if (badAnswers <= BAD_ANSWERS_FORGIVEN) return;
  expel(draft, member, `${badAnswers} of its gradients were not finite, while others' are: its device may be broken`);
}

type Evaluated = Extract<WorkerMessage, { type: "evaluated" }>;

export function takeEvaluated(draft: Draft, member: Child, message: Evaluated): void {
  const ofVersion = draft.state.tasks.filter(
    ({ order }) => order.type === "evaluate" && order.version === message.version,
  );
  const task = ofVersion.find(({ places }) => places.has(message.chunk));
  if (task?.order.type !== "evaluate") {
    draft.reject(ofVersion.length === 0 ? "stale-step" : "not-owed");
    return;
  }
  const verdict = judge(task.board, member.peer, [0], "count");
  if (verdict !== "owed") {
    draft.reject(verdict);
    return;
  }
  const { session, version, chunk, count } = task.order;
  if (message.correct > count && isAnotherReady(draft, member)) {
    // Passed on, it would cost all below this relay their membership above. Where nobody else is below, it is judged there,
    // where who comes back again and again has to wait.
    draft.reject("malformed");
    expel(draft, member, `malformed message: ${message.correct} correct answers in a chunk of ${count}`);
    return;
  }
  draft.progress(member.peer);
  draft.answer({ type: "evaluated", session, version, chunk, correct: message.correct });
  finishTask(draft, task);
}
