import type { Signal } from "../../shared/errors.ts";
import type { Member } from "../../shared/fleet/membership.ts";
import type { Board } from "../../shared/fleet/work-board.ts";
import type { CoordinatorEventName, WorkerEventName } from "../../shared/log/vocabulary.ts";
import type { SliceName } from "../../shared/model/contribution.ts";
import type { Holdings } from "../../shared/protocol/holdings.ts";
import type {
  Assign,
  CoordinatorMessage,
  Evaluate,
  Hello,
  Parameters,
  Spent,
  Welcome,
  WorkerMessage,
} from "../../shared/protocol/messages.ts";
import type { TreeNode } from "../../shared/reduction/tree.ts";
import type { PeerId } from "../../shared/transport/transport.ts";

/**
 * What the relay's machine works with: its state, what it is told and what it asks for. "Above" is whom it is a worker
 * of, the coordinator or another relay; "below" are those whom it is the coordinator of.
 */

export interface Settings {
  /** Of whom is above, for people. */
  readonly address: string;
  /** Longest time without a word from above, in ms. */
  readonly coordinatorTimeoutMs: number;
  /** Longest time with nobody below, in ms; Infinity waits for ever. */
  readonly joinTimeoutMs: number;
  /** Names this relay's life, above and in the sessions below. */
  readonly incarnation: string;
  readonly modelDigest: string;
}

/** What a relay tells of itself: it has it from the first that greets below, since itself it computes nothing. */
export type Identity = Pick<Hello, "engine" | "device" | "runtime" | "driver" | "dataDigest">;

/** A member below. */
export interface Child extends Member {
  /** From 1, in the order of their greetings. */
  readonly number: number;
}

/** What is missing of an item: of a shard two slices, of a chunk of an evaluation its count. */
export type Part = SliceName | "count";

/** Something that whoever is above wants computed, and that is not answered in full yet. */
export interface Task {
  /** Numbered from 1 in this relay's life. */
  readonly id: number;
  readonly order: Assign | Evaluate;
  /** Item i is the i-th shard of the assignment; an evaluation has one item, its chunk. */
  readonly board: Board<Part>;
  /** Where the shards stand in the assignment. */
  readonly places: ReadonlyMap<number, number>;
  /** When all that it needs was there, and how long there had been nothing to do by then, in ms. */
  readonly begun: { readonly at: number; readonly waitMs: number } | undefined;
  /** Answers that were not finite, and not passed on. */
  readonly bad: readonly { readonly item: number; readonly slice: SliceName; readonly peer: PeerId }[];
}

export interface Leaving {
  readonly since: number;
  readonly code: number;
  readonly reason: string;
}

export interface State {
  readonly settings: Settings;
  /** Undefined until somebody below has greeted. */
  readonly identity: Identity | undefined;
  /** Of the session above. */
  readonly welcome: Welcome | undefined;
  /** Sessions above so far. */
  readonly sessions: number;
  /** Whether it has said "ready" in this session. */
  readonly ready: boolean;
  /** Parameters received. */
  readonly holds: Holdings;
  /** In the order in which they came. */
  readonly tasks: readonly Task[];
  readonly tasksTaken: number;
  /** When a task was last answered in full. */
  readonly doneAt: number;
  /** Shards and chunks that those below have computed in this session. */
  readonly computed: number;
  /** When whoever is above was last heard, when it was last greeted, and how often since it was heard. */
  readonly heardAt: number;
  readonly greetedAt: number;
  readonly greetings: number;
  /** Set once it has been told that it is not welcome for a while. */
  readonly quarantined: boolean;
  /** Why it was not let in above when it last tried, a sentence; undefined once it is welcome. */
  readonly notLetIn: string | undefined;
  readonly members: ReadonlyMap<PeerId, Child>;
  /** Members below so far. */
  readonly joined: number;
  /** Greetings below that were refused so far. */
  readonly refused: number;
  /** Members given up for computing nothing since the last task was answered. */
  readonly stalls: number;
  /** Since when nobody is below; undefined while somebody is. */
  readonly alone: number | undefined;
  /** Set once it has said that it is leaving. */
  readonly leaving: Leaving | undefined;
  readonly ended: boolean;
}

export type Event = { readonly at: number } & (
  | { readonly type: "start" }
  /** Time has passed, `stoppedMs` of it while this process itself was stopped. */
  | { readonly type: "tick"; readonly stoppedMs: number }
  | { readonly type: "told"; readonly message: CoordinatorMessage }
  | { readonly type: "told-malformed"; readonly problem: string }
  /** The connection above was refused; the transport goes on trying. */
  | { readonly type: "not-let-in"; readonly problem: string }
  | {
      readonly type: "heard";
      readonly peer: PeerId;
      readonly message: WorkerMessage;
      /** For a result: whether all its numbers are finite. */
      readonly finite: boolean;
    }
  | { readonly type: "heard-malformed"; readonly peer: PeerId; readonly problem: string }
  | { readonly type: "peer-lost"; readonly peer: PeerId; readonly reason: string }
  | { readonly type: "signal"; readonly signal: Signal }
);

/** Why an answer from below did not count: as a coordinator has it. */
export type Rejection =
  "unknown-session" | "stale-session" | "stale-step" | "not-owed" | "duplicate" | "not-finite" | "malformed";

/** What the shell is to do, in order. */
export type Effect =
  | { readonly type: "greet"; readonly identity: Identity }
  /** Send a message without payload to whoever is above. */
  | { readonly type: "answer"; readonly message: WorkerMessage }
  /** Send a message without payload to a member below. */
  | { readonly type: "send"; readonly peer: PeerId; readonly message: CoordinatorMessage }
  | { readonly type: "send-parameters"; readonly peer: PeerId; readonly message: Parameters }
  /** @see Task `items` are those of the task that the message has: their samples go along, and the slices it names */
  | {
      readonly type: "send-assignment";
      readonly peer: PeerId;
      readonly task: number;
      readonly items: readonly number[];
      readonly message: Assign;
    }
  /** Keep this frame of the payload of the message at hand. */
  | {
      readonly type: "keep-parameters";
      readonly version: number;
      readonly slice: SliceName;
      readonly averaged: boolean;
      readonly frame: number;
    }
  /** Keep the samples of the assignment at hand, and make room for its sums. */
  | { readonly type: "open-task"; readonly task: number; readonly order: Assign }
  /** Add the payload of the message at hand to the task's sums. */
  | {
      readonly type: "accept";
      readonly task: number;
      readonly slice: SliceName;
      readonly nodes: readonly TreeNode[];
    }
  /** Send the sums of a slice, all of which are there, to whoever is above. */
  | {
      readonly type: "forward";
      readonly task: number;
      readonly session: string;
      readonly step: number;
      readonly slice: SliceName;
      readonly spent: Spent;
    }
  /** Forget what is kept for a task. */
  | { readonly type: "close-task"; readonly task: number }
  /** Count the message at hand as rejected. */
  | { readonly type: "reject"; readonly reason: Rejection }
  /** Tell people, and the log. */
  | { readonly type: "say"; readonly event: RelayEventName; readonly text: string; readonly worker?: string }
  | { readonly type: "exit"; readonly code: number; readonly text: string };

export type RelayEventName =
  WorkerEventName | Extract<CoordinatorEventName, "worker-joined" | "worker-left" | "worker-lost" | "worker-late">;
