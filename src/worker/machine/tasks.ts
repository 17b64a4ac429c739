import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { heldAt, holding } from "../../shared/protocol/holdings.ts";
import type { Parameters, Ping } from "../../shared/protocol/messages.ts";
import { cancelling, rejoin } from "./session.ts";
import { andThen, type State, type Step, type Task } from "./types.ts";

/** What is computed next, and on which parameters. Part of the worker's machine. */

/** Takes parameters, or something to do. */
export function takeWork(state: State, message: Parameters | Task): Step {
  if (message.type === "parameters") {
    return andThen(keep(state, message.slice, message.version, message.averaged, 0), startNext);
  }
  let step: Step = [state, []];
  if (message.type === "assign") {
    for (const [i, slice] of message.slices.entries()) {
      // The first frame holds the samples.
      step = andThen(step, (each) => keep(each, slice, message.step, false, 1 + i));
    }
  }
  return andThen(step, (each) => enqueue(each, message));
}

function keep(state: State, slice: SliceName, version: number, averaged: boolean, frame: number): Step {
  // An old version that comes late, or again, must not take the place of a newer one.
  if (version < heldAt(state.holds, slice, version, averaged)) return [state, []];
  const holds = holding(state.holds, slice, version, averaged);
  const [kept, cancels] = dropOutdated({ ...state, holds });
  return [kept, [...cancels, { type: "keep-parameters", version, slice, averaged, frame }]];
}

/** Work whose parameters are replaced has been done by others meanwhile. */
function dropOutdated(state: State): Step {
  const isOutdated = (task: Task): boolean => heldFor(state, task).some((held) => held > versionOf(task));
  const { queue, running, anticipated } = state;
  if (!queue.some(isOutdated) && (running === undefined || !isOutdated(running))) return [state, []];
  const rest = queue.filter((task) => !isOutdated(task));
  const next = anticipated !== undefined && rest.includes(anticipated) ? anticipated : undefined;
  const dropped = { ...state, queue: rest, anticipated: next };
  if (running === undefined || !isOutdated(running)) return [dropped, []];
  return [{ ...dropped, running: undefined }, cancelling(state)];
}

const versionOf = (task: Task): number => (task.type === "assign" ? task.step : task.version);

/** The versions that stand where the task's slices belong. */
function heldFor(state: State, task: Task): number[] {
  return SLICE_NAMES.map((slice) => heldAt(state.holds, slice, versionOf(task), task.type === "evaluate"));
}

const isRunnable = (state: State, task: Task): boolean =>
  heldFor(state, task).every((held) => held === versionOf(task));

function enqueue(state: State, task: Task): Step {
  const held = heldFor(state, task);
  // Work that comes late: its time has passed.
  if (held.some((newer) => newer > versionOf(task))) return [state, []];
  // What is running may have to be done once more: its numbers were not finite.
  if (state.queue.some((known) => isSame(known, task))) return [state, []];
  // Of a step that is assigned ahead, some parameters come along and the others follow. An evaluation's are all there.
  const enough = task.type === "assign" ? held.includes(task.step) : isRunnable(state, task);
  if (!state.ready || !enough) return rejoin(state, `work on version ${versionOf(task)} came without its parameters`);
  return startNext({ ...state, queue: [...state.queue, task] });
}

/** A message may come twice. */
function isSame(one: Task, other: Task): boolean {
  if (versionOf(one) !== versionOf(other)) return false;
  if (one.type === "evaluate") return other.type === "evaluate" && one.chunk === other.chunk;
  return other.type === "assign" && String(one.shards.map(indexOf)) === String(other.shards.map(indexOf));
}

const indexOf = ({ index }: { readonly index: number }): number => index;

/** Runs the first task that can be run; if there is none yet, gets ready for the first that will be. */
export function startNext(state: State): Step {
  if (state.running !== undefined || state.queue.length === 0) return [state, []];
  const next = state.queue.find((task) => isRunnable(state, task));
  if (next !== undefined) {
    const queue = state.queue.filter((task) => task !== next);
    return [{ ...state, running: next, queue, anticipated: undefined }, [{ type: "run", task: next }]];
  }
  const [first] = state.queue;
  if (first?.type !== "assign" || state.anticipated === first) return [state, []];
  return [{ ...state, anticipated: first }, [{ type: "anticipate", task: first }]];
}

/** All that the ping's step needs was sent before it. */
export function answerPing(state: State, { session, step, id }: Ping): Step {
  const starved = state.queue.find((task) => versionOf(task) <= step && !isRunnable(state, task));
  if (starved !== undefined) return rejoin(state, `parameters of version ${versionOf(starved)} were lost`);
  const { computed, ready, running, queue } = state;
  const isDone = [running, ...queue].every((task) => task === undefined || versionOf(task) > step);
  return [state, [{ type: "send", message: { type: "pong", session, id, computed, ready, idle: isDone } }]];
}
