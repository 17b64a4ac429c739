import { type Signal, SIGNAL_EXIT_CODES } from "../../shared/errors.ts";
import { fail, farewell, isForUs, left, rejoin } from "./session.ts";
import { answerPing, startNext, takeWork } from "./tasks.ts";
import { andThen, type Effect, type Event, type Leaving, type State, type Step } from "./types.ts";

/** How a worker leaves that was asked to. Part of the worker's machine. */

/** Longest silence of a coordinator while this worker is leaving. */
const LEAVING_TIMEOUT_MS = 3_000;

/** Says that it is leaving, finishes what it owes, and waits until that is acknowledged. */
export function leave(state: State, signal: Signal, at: number): Step {
  const reason = `it received ${signal}`;
  const leaving = { since: at, code: SIGNAL_EXIT_CODES[signal], reason };
  if (state.welcome === undefined) return left(state, leaving);
  const text = `leaving as soon as what it owes is done: ${reason}`;
  const message = farewell(state.welcome, reason, true);
  return [
    { ...state, leaving },
    [
      { type: "note", event: "draining", text },
      { type: "send", message },
    ],
  ];
}

/**
 * A worker that is leaving does what it owes, which may still be on its way to it, and ends when it is told to or nobody is
 * there.
 */
export function whileLeaving(state: State, leaving: Leaving, event: Event): Step {
  switch (event.type) {
    case "message": {
      const { message } = event;
      if (message.type === "stop" || message.type === "rejected") return left(state, leaving);
      if (!isForUs(state, message)) return [state, []];
      const heard = { ...state, heardAt: event.at };
      if (message.type === "welcome" || state.welcome === undefined) return [heard, []];
      if (message.type !== "ping") return takeWork(heard, message);
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
    case "malformed":
      return rejoin(state, event.problem);
    case "start":
    case "not-let-in":
    case "prepared":
    case "signal":
      return [state, []];
    default:
      return event satisfies never;
  }
}
