import { EXIT_CODES } from "../../shared/errors.ts";
import type { CoordinatorMessage, Welcome } from "../../shared/protocol/messages.ts";
import { INTERRUPTED_CODE, runEndOf } from "../../shared/protocol/run-end.ts";
import { leave, whileLeaving } from "./leaving.ts";
import { cancelling, end, endWithRun, fail, isForUs, refused, rejoin } from "./session.ts";
import { answerPing, startNext, takeWork } from "./tasks.ts";
import { type Event, NO_SESSION_WORK, type State, type Step } from "./types.ts";

/**
 * The worker's decisions, pure: the same events in the same order always lead to the same state and effects.
 *
 * A worker holds nothing that matters. Whenever something is out of step with the coordinator it forgets its session
 * and greets anew; the coordinator has then given its work to others.
 */

/** A coordinator pings at least every second; when it is silent for this long, see whether it still knows us. */
const SILENCE_MS = 3_000;
/** Pause between two greetings: it doubles from the one to the other. A greeting without a connection is lost. */
const GREETING_PAUSE_MS = 25;
const MAX_GREETING_PAUSE_MS = 1_000;

export function initialState(address: string, coordinatorTimeoutMs: number, at: number): State {
  return {
    ...{ address, coordinatorTimeoutMs },
    ...{ welcome: undefined, ...NO_SESSION_WORK },
    ...{ heardAt: at, greetedAt: at, greetings: 0, quarantined: false },
    ...{ notLetIn: undefined, leaving: undefined },
    ended: false,
  };
}

export function transition(state: State, event: Event): Step {
  if (state.ended) return [state, []];
  // While this process was stopped it is not the coordinator that was silent.
  if (event.type === "tick" && event.stoppedMs > 0)
    return pass({ ...state, heardAt: state.heardAt + event.stoppedMs }, event);
  return pass(state, event);
}

function pass(state: State, event: Event): Step {
  if (state.leaving !== undefined) return whileLeaving(state, state.leaving, event);
  switch (event.type) {
    case "start":
      return greet(state, event.at);
    case "tick":
      return tick(state, event.at);
    case "message":
      return isForUs(state, event.message)
        ? takeMessage({ ...state, heardAt: event.at, greetings: 0 }, event.message)
        : [state, []];
    case "malformed":
      return rejoin(state, `a message could not be understood: ${event.problem}`);
    case "not-let-in":
      return [{ ...state, notLetIn: event.problem }, [{ type: "say", event: "refused", text: event.problem }]];
    case "prepared":
      return prepared(state);
    case "computed":
      return [{ ...state, computed: state.computed + 1 }, []];
    case "task-done":
      // A task that was cancelled may still end after the next one was queued.
      return state.running === event.task ? startNext({ ...state, running: undefined }) : [state, []];
    case "failed":
      return fail(state, event.message, event.stack);
    case "signal":
      return leave(state, event.signal, event.at);
    default:
      return event satisfies never;
  }
}

function takeMessage(state: State, message: CoordinatorMessage): Step {
  if (message.type === "rejected") return takeRejection(state, message.code, message.message);
  if (message.type === "welcome") return takeWelcome(state, message);
  switch (message.type) {
    case "parameters":
    case "assign":
    case "evaluate":
      return takeWork(state, message);
    case "ping":
      return answerPing(state, message);
    case "stop":
      // The end of a session that it has left before, and to which a late welcome has brought it back.
      if (message.reason === "left") return rejoin(state, "this session is over", { sayLeaving: false });
      return endWithRun(state, runEndOf(message.reason));
    default:
      return message satisfies never;
  }
}

function takeWelcome(state: State, welcome: Welcome): Step {
  if (state.welcome?.session === welcome.session) return [state, []];
  const text = `welcomed as ${welcome.name}, run ${welcome.runId}`;
  return [
    { ...state, ...NO_SESSION_WORK, welcome, quarantined: false, notLetIn: undefined },
    [...cancelling(state), { type: "say", event: "welcomed", text }, { type: "prepare", welcome }],
  ];
}

function takeRejection(state: State, code: string, message: string): Step {
  switch (code) {
    case "unknown-session":
      return rejoin(state, message, { sayLeaving: false });
    case "quarantined":
      // It keeps greeting.
      return [
        { ...state, quarantined: true },
        state.quarantined ? [] : [{ type: "say", event: "refused", text: message }],
      ];
    case "stopping":
      return endWithRun(state, { code: 0, text: message });
    case "interrupted":
      return endWithRun(state, { code: INTERRUPTED_CODE, text: message });
    case "data":
      return refused(state, EXIT_CODES.refused, `the coordinator at ${state.address} refuses this worker: ${message}`);
    default:
      return refused(state, EXIT_CODES.failed, `the coordinator at ${state.address} refuses this worker: ${message}`);
  }
}

function prepared(state: State): Step {
  if (state.welcome === undefined || state.ready) return [state, []];
  const { session } = state.welcome;
  return [{ ...state, ready: true }, [{ type: "send", message: { type: "ready", session } }]];
}

function tick(state: State, at: number): Step {
  const silentMs = at - state.heardAt;
  if (silentMs > state.coordinatorTimeoutMs) {
    const advice = `start one there (lockstep coordinator --listen ${state.address}), or check the address`;
    const text = `no coordinator at ${state.address} for ${Math.round(silentMs / 1000)} s: ${state.notLetIn ?? advice}`;
    return end(state, EXIT_CODES.failed, text);
  }
  const wanted = state.welcome === undefined || silentMs >= SILENCE_MS;
  const pauseMs = Math.min(GREETING_PAUSE_MS * 2 ** (state.greetings - 1), MAX_GREETING_PAUSE_MS);
  return wanted && at - state.greetedAt >= pauseMs ? greet(state, at) : [state, []];
}

function greet(state: State, at: number): Step {
  return [{ ...state, greetedAt: at, greetings: state.greetings + 1 }, [{ type: "greet" }]];
}
