import { type Signal, SIGNAL_EXIT_CODES } from "../../shared/errors.ts";
import { end, fail, farewell, isForUs } from "./session.ts";
import { answerPing, isRunnable, startNext } from "./tasks.ts";
import { andThen, type Effect, type Event, type Leaving, type State, type Step } from "./types.ts";

/** How a worker leaves that was asked to. Part of the worker's machine. */

/** Longest silence of a coordinator while this worker is leaving. */
const LEAVING_TIMEOUT_MS = 3_000;

/** Says that it is leaving, finishes what it owes, and waits until that is acknowledged. */
export function leave(state: State, signal: Signal, at: number): Step {
  const reason = `it received ${signal}`;
  const leaving = { since: at, code: SIGNAL_EXIT_CODES[signal], reason };
  if (state.welcome === undefined) return left(state, leaving);
  // What cannot be run yet is of the next step, and others will do it.
  const queue = state.queue.filter((task) => isRunnable(state, task));
  return [{ ...state, queue, leaving }, [{ type: "send", message: farewell(state.welcome, reason, true) }]];
}

/** A worker that is leaving does what it still owes, takes nothing new, and ends when that is acknowledged or nobody is there. */
export function whileLeaving(state: State, leaving: Leaving, event: Event): Step {
  switch (event.type) {
    case "message": {
      const { message } = event;
      if (message.type === "stop" || message.type === "rejected") return left(state, leaving);
      if (!isForUs(state, message)) return [state, []];
      const heard = { ...state, heardAt: event.at };
      if (message.type !== "ping" || state.welcome === undefined) return [heard, []];
      // That it is leaving may not have arrived.
      const again: Effect = { type: "send", message: farewell(state.welcome, leaving.reason, true) };
      return andThen([heard, [again]], (each) => answerPing(each, message));
    }
    case "computed":
      return [{ ...state, computed: state.computed + 1 }, []];
    case "task-done":
      return state.running === event.task ? startNext({ ...state, running: undefined }) : [state, []];
    case "tick":
      return event.at - Math.max(leaving.since, state.heardAt) >= LEAVING_TIMEOUT_MS
        ? left(state, leaving)
        : [state, []];
    case "failed":
      return fail(state, event.message, event.stack);
    case "start":
    case "prepared":
    case "malformed":
    case "signal":
      return [state, []];
    default:
      return event satisfies never;
  }
}

const left = (state: State, { code, reason }: Leaving): Step => end(state, code, `leaving: ${reason}`);
