import { EXIT_CODES, type Signal, SIGNAL_EXIT_CODES } from "../shared/errors.ts";
import { type SliceName, SLICE_NAMES } from "../shared/model/contribution.ts";
import { heldAt, type Holdings, holding, NOTHING_HELD } from "../shared/protocol/holdings.ts";
import type { Assign, CoordinatorMessage, Evaluate, Welcome, WorkerMessage } from "../shared/protocol/messages.ts";

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

/** Longest wait for a coordinator to acknowledge that this worker is leaving. */
const LEAVING_TIMEOUT_MS = 1_000;

export type Task = Assign | Evaluate;

interface Leaving {
  readonly since: number;
  readonly code: number;
  readonly text: string;
}

export interface State {
  readonly address: string;
  /** Longest time without a word from a coordinator, in ms. */
  readonly coordinatorTimeoutMs: number;
  readonly welcome: Welcome | undefined;
  readonly ready: boolean;
  /** Parameters received. */
  readonly holds: Holdings;
  readonly running: Task | undefined;
  /** Tasks to run, some of which may still lack parameters. */
  readonly queue: readonly Task[];
  readonly anticipated: Task | undefined;
  /** Shards and chunks computed in this session. */
  readonly computed: number;
  readonly heardAt: number;
  /** When it last greeted, and how often since it last heard anything. */
  readonly greetedAt: number;
  readonly greetings: number;
  /** Set once it has said that it is leaving. */
  readonly leaving: Leaving | undefined;
  readonly ended: boolean;
}

export type Event = { readonly at: number } & (
  | { readonly type: "start" }
  | { readonly type: "tick" }
  | { readonly type: "message"; readonly message: CoordinatorMessage }
  | { readonly type: "malformed"; readonly problem: string }
  | { readonly type: "prepared" }
  | { readonly type: "computed" }
  | { readonly type: "task-done"; readonly task: Task }
  | { readonly type: "failed"; readonly message: string; readonly stack: string }
  | { readonly type: "signal"; readonly signal: Signal }
);

export type Effect =
  /** The shell knows what a hello says. */
  | { readonly type: "greet" }
  | { readonly type: "send"; readonly message: WorkerMessage }
  /** Get ready for shards of the welcome's size, then say "prepared". */
  | { readonly type: "prepare"; readonly welcome: Welcome }
  /** Keep this frame of the payload of the message at hand. */
  | {
      readonly type: "keep-parameters";
      readonly version: number;
      readonly slice: SliceName;
      readonly averaged: boolean;
      readonly frame: number;
    }
  /** This one will come next, once its last parameters are here: meanwhile, do what can be done without them. */
  | { readonly type: "anticipate"; readonly task: Assign }
  | { readonly type: "run"; readonly task: Task }
  /** Stop this task as soon as possible and send nothing more of it. */
  | { readonly type: "cancel"; readonly task: Task }
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "exit"; readonly code: number; readonly text: string };

export function initialState(address: string, coordinatorTimeoutMs: number, at: number): State {
  return {
    ...{ address, coordinatorTimeoutMs },
    ...{ welcome: undefined, ...idle },
    ...{ heardAt: at, greetedAt: at, greetings: 0 },
    leaving: undefined,
    ended: false,
  };
}

const idle = {
  ready: false,
  holds: NOTHING_HELD,
  running: undefined,
  queue: [],
  anticipated: undefined,
  computed: 0,
} as const satisfies Partial<State>;

type Step = [State, Effect[]];

function andThen([state, effects]: Step, next: (state: State) => Step): Step {
  const [last, more] = next(state);
  return [last, [...effects, ...more]];
}

export function transition(state: State, event: Event): Step {
  if (state.ended) return [state, []];
  if (state.leaving !== undefined) return whileLeaving(state, state.leaving, event);
  switch (event.type) {
    case "start":
      return greet(state, event.at);
    case "tick":
      return tick(state, event.at);
    case "message":
      return takeMessage({ ...state, heardAt: event.at, greetings: 0 }, event.message);
    case "malformed":
      return rejoin(state, `a message could not be understood: ${event.problem}`);
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
  // What an earlier session still had under way is of no use any more.
  if (message.session !== state.welcome?.session) return [state, []];
  switch (message.type) {
    case "parameters":
      return andThen(keep(state, message.slice, message.version, message.averaged, 0), startNext);
    case "assign": {
      let step: Step = [state, []];
      for (const [i, slice] of message.slices.entries()) {
        // The first frame holds the samples.
        step = andThen(step, (each) => keep(each, slice, message.step, false, 1 + i));
      }
      return andThen(step, (each) => enqueue(each, message));
    }
    case "evaluate":
      return enqueue(state, message);
    case "ping":
      return answerPing(state, message.session, message.step);
    case "stop":
      return end(state, 0, stopText(message.reason));
    default:
      return message satisfies never;
  }
}

function takeWelcome(state: State, welcome: Welcome): Step {
  if (state.welcome?.session === welcome.session) return [state, []];
  const text = `welcomed as ${welcome.name}, run ${welcome.runId}`;
  return [{ ...state, ...idle, welcome }, [...cancelling(state), { type: "say", text }, { type: "prepare", welcome }]];
}

function takeRejection(state: State, code: string, message: string): Step {
  switch (code) {
    case "unknown-session":
      return rejoin(state, message, { sayLeaving: false });
    case "stopping":
      return end(state, 0, message);
    case "data":
      return end(state, EXIT_CODES.refused, `the coordinator at ${state.address} refuses this worker: ${message}`);
    default:
      return end(state, EXIT_CODES.failed, `the coordinator at ${state.address} refuses this worker: ${message}`);
  }
}

function prepared(state: State): Step {
  if (state.welcome === undefined || state.ready) return [state, []];
  const { session } = state.welcome;
  return [{ ...state, ready: true }, [{ type: "send", message: { type: "ready", session } }]];
}

function keep(state: State, slice: SliceName, version: number, averaged: boolean, frame: number): Step {
  // An old version that comes late, or again, must not take the place of a newer one.
  if (version < heldAt(state.holds, slice, version, averaged)) return [state, []];
  const holds = holding(state.holds, slice, version, averaged);
  return [{ ...state, holds }, [{ type: "keep-parameters", version, slice, averaged, frame }]];
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
  // Work that comes late, or again: its time has passed.
  if (held.some((newer) => newer > versionOf(task))) return [state, []];
  // Of a step that is assigned ahead, some parameters come along and the others follow. An evaluation's are all there.
  const enough = task.type === "assign" ? held.includes(task.step) : isRunnable(state, task);
  if (!state.ready || !enough) return rejoin(state, `work on version ${versionOf(task)} came without its parameters`);
  return startNext({ ...state, queue: [...state.queue, task] });
}

/** Runs the first task that can be run; if there is none yet, gets ready for the first that will be. */
function startNext(state: State): Step {
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

/** @param step all that this step needs was sent before the ping */
function answerPing(state: State, session: string, step: number): Step {
  const starved = state.queue.find((task) => versionOf(task) <= step && !isRunnable(state, task));
  if (starved !== undefined) return rejoin(state, `parameters of version ${versionOf(starved)} were lost`);
  return [state, [{ type: "send", message: { type: "pong", session, computed: state.computed } }]];
}

/** Forgets the session and greets anew; what was owed is given to others. */
function rejoin(state: State, reason: string, { sayLeaving = true } = {}): Step {
  const effects: Effect[] = [...cancelling(state), { type: "say", text: `joining again: ${reason}` }];
  if (sayLeaving && state.welcome !== undefined) {
    effects.push({ type: "send", message: { type: "leaving", session: state.welcome.session, reason } });
  }
  return [{ ...state, ...idle, welcome: undefined }, [...effects, { type: "greet" }]];
}

function tick(state: State, at: number): Step {
  const silentMs = at - state.heardAt;
  if (silentMs > state.coordinatorTimeoutMs) {
    const text = `no coordinator at ${state.address} for ${Math.round(silentMs / 1000)} s: start one there (lockstep coordinator --listen ${state.address}), or check the address`;
    return end(state, EXIT_CODES.failed, text);
  }
  const wanted = state.welcome === undefined || silentMs >= SILENCE_MS;
  const pauseMs = Math.min(GREETING_PAUSE_MS * 2 ** (state.greetings - 1), MAX_GREETING_PAUSE_MS);
  return wanted && at - state.greetedAt >= pauseMs ? greet(state, at) : [state, []];
}

function greet(state: State, at: number): Step {
  return [{ ...state, greetedAt: at, greetings: state.greetings + 1 }, [{ type: "greet" }]];
}

function fail(state: State, message: string, stack: string): Step {
  const effects: Effect[] = [];
  if (state.welcome !== undefined) {
    effects.push({ type: "send", message: { type: "failed", session: state.welcome.session, message, stack } });
  }
  const [ended, last] = end(state, EXIT_CODES.failed, message);
  return [ended, [...effects, ...last]];
}

/** Says that it is leaving, and waits until that is acknowledged: whatever it owes is then given to others at once. */
function leave(state: State, signal: Signal, at: number): Step {
  const reason = `it received ${signal}`;
  const leaving = { since: at, code: SIGNAL_EXIT_CODES[signal], text: `leaving: ${reason}` };
  if (state.welcome === undefined) return end(state, leaving.code, leaving.text);
  const { session } = state.welcome;
  return [
    { ...state, running: undefined, queue: [], leaving },
    [...cancelling(state), { type: "send", message: { type: "leaving", session, reason } }],
  ];
}

/** All that matters to a worker that is leaving: the acknowledgement, or that there will be none. */
function whileLeaving(state: State, leaving: Leaving, event: Event): Step {
  const answered = event.type === "message" && (event.message.type === "stop" || event.message.type === "rejected");
  const late = event.type === "tick" && event.at - leaving.since >= LEAVING_TIMEOUT_MS;
  return answered || late ? end(state, leaving.code, leaving.text) : [state, []];
}

function end(state: State, code: number, text: string): Step {
  return [{ ...state, ...idle, ended: true }, [...cancelling(state), { type: "exit", code, text }]];
}

function cancelling(state: State): Effect[] {
  return state.running === undefined ? [] : [{ type: "cancel", task: state.running }];
}

function stopText(reason: string): string {
  return reason === "done" ? "the run is done" : `the coordinator has ended the run: ${reason}`;
}
