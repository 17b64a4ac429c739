import type { Signal } from "../../shared/errors.ts";
import type { WorkerEventName } from "../../shared/log/vocabulary.ts";
import type { SliceName } from "../../shared/model/contribution.ts";
import { type Holdings, NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import type { Assign, CoordinatorMessage, Evaluate, Welcome, WorkerMessage } from "../../shared/protocol/messages.ts";

/** What the worker's machine works with: its state, what it is told and what it asks for. */

export type Task = Assign | Evaluate;

export interface Leaving {
  readonly since: number;
  readonly code: number;
  readonly reason: string;
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
  /** Set once it has been told that it is not welcome for a while. */
  readonly quarantined: boolean;
  /** Why it was not let in when it last tried, a sentence; undefined once it is welcome. */
  readonly notLetIn: string | undefined;
  /** Set once it has said that it is leaving. */
  readonly leaving: Leaving | undefined;
  readonly ended: boolean;
}

export type Event = { readonly at: number } & (
  | { readonly type: "start" }
  /** Time has passed, `stoppedMs` of it while this process itself was stopped. */
  | { readonly type: "tick"; readonly stoppedMs: number }
  | { readonly type: "message"; readonly message: CoordinatorMessage }
  | { readonly type: "malformed"; readonly problem: string }
  /** The connection was refused; the transport goes on trying. */
  | { readonly type: "not-let-in"; readonly problem: string }
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
  /** Tell people, and the log. */
  | { readonly type: "say"; readonly event: WorkerEventName; readonly text: string }
  /** Tell the log alone. */
  | { readonly type: "note"; readonly event: WorkerEventName; readonly text: string; readonly stack?: string }
  | {
      readonly type: "exit";
      readonly code: number;
      readonly text: string;
      /** The run has ended, and so does this worker: whoever follows the run knows why. */
      readonly isRunEnd?: true;
    };

/** What a worker forgets when it loses its session. */
export const NO_SESSION_WORK = {
  ready: false,
  holds: NOTHING_HELD,
  running: undefined,
  queue: [],
  anticipated: undefined,
  computed: 0,
} as const satisfies Partial<State>;

export type Step = [State, Effect[]];

export function andThen([state, effects]: Step, next: (state: State) => Step): Step {
  const [last, more] = next(state);
  return [last, [...effects, ...more]];
}
