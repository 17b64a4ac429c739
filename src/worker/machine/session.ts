import { EXIT_CODES } from "../../shared/errors.ts";
import type { CoordinatorMessage, Welcome, WorkerMessage } from "../../shared/protocol/messages.ts";
import type { RunEnd } from "../../shared/protocol/run-end.ts";
import { andThen, type Effect, type Leaving, NO_SESSION_WORK, type State, type Step } from "./types.ts";

/** How a session ends, and how a worker does. Part of the worker's machine. */

/**
 * Whether a message is meant for this worker as it is now. What an earlier session still had under way is of no use any
 * more; what comes of a session whose welcome was lost must not pass for a word from the coordinator, or the worker would
 * never greet again.
 */
export function isForUs({ welcome }: State, message: CoordinatorMessage): boolean {
  if (message.type === "welcome" || message.type === "rejected") return true;
  return message.session === welcome?.session;
}

/** Forgets the session and greets anew, or ends if it is leaving; what was owed is given to others. */
export function rejoin(state: State, reason: string, { sayLeaving = true } = {}): Step {
  if (state.leaving !== undefined && state.welcome !== undefined) {
    const message = farewell(state.welcome, state.leaving.reason, false);
    return andThen([state, [{ type: "send", message }]], (each) => left(each, state.leaving!));
  }
  const text = `joining again: ${reason}`;
  const effects: Effect[] = [...cancelling(state), { type: "say", event: "disconnected", text }];
  if (sayLeaving && state.welcome !== undefined) {
    effects.push({ type: "send", message: farewell(state.welcome, reason, false) });
  }
  return [{ ...state, ...NO_SESSION_WORK, welcome: undefined }, [...effects, { type: "greet" }]];
}

export function fail(state: State, message: string, stack: string): Step {
  const effects: Effect[] = [{ type: "note", event: "task-failed", text: message, stack }];
  if (state.welcome !== undefined) {
    effects.push({ type: "send", message: { type: "failed", session: state.welcome.session, message, stack } });
  }
  const [ended, last] = end(state, EXIT_CODES.failed, message);
  return [ended, [...effects, ...last]];
}

export const farewell = ({ session }: Welcome, reason: string, finishing: boolean): WorkerMessage => {
  return { type: "leaving", session, reason, finishing };
};

export const left = (state: State, { code, reason }: Leaving): Step => end(state, code, `leaving: ${reason}`);

export function end(state: State, code: number, text: string): Step {
  return [{ ...state, ...NO_SESSION_WORK, ended: true }, [...cancelling(state), { type: "exit", code, text }]];
}

/** Ends since the run has. */
export function endWithRun(state: State, { code, text }: RunEnd): Step {
  const exit: Effect = { type: "exit", code, text, isRunEnd: true };
  return [{ ...state, ...NO_SESSION_WORK, ended: true }, [...cancelling(state), exit]];
}

/** Ends since the coordinator does not want this worker. */
export function refused(state: State, code: number, text: string): Step {
  const [ended, effects] = end(state, code, text);
  return [ended, [{ type: "note", event: "refused", text }, ...effects]];
}

export function cancelling(state: State): Effect[] {
  return state.running === undefined ? [] : [{ type: "cancel", task: state.running }];
}
