import type { Signal } from "../../shared/errors.ts";
import type { TrainingEvent } from "../../shared/events.ts";
import type { SliceName } from "../../shared/model/contribution.ts";
import type { RejectionCode, WorkerMessage } from "../../shared/protocol/messages.ts";
import type { TreeNode } from "../../shared/reduction/tree.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Members, Terms } from "../../shared/fleet/membership.ts";
import type { Board } from "../../shared/fleet/work-board.ts";

/** What the coordinator's machine works with: its plan, its state, what it is told and what it asks for. */

/** What is to be done, fixed for the run. Counts only: which samples a shard has is the shell's business. */
export interface Plan {
  readonly terms: Terms;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Shards of each full batch, and of the last batch of an epoch. */
  readonly shardsPerStep: number;
  readonly shardsInLastStep: number;
  readonly evaluationChunks: number;
  /** The first so many of these are of the images held out for validation, the others of the test set. */
  readonly validationChunks: number;
  /** The run ends after so many epochs in which no more of the validation images came out right. */
  readonly patience: number | undefined;
  /** From the start on, in ms; then it ends after the step under way, with an evaluation. Infinity: no limit. */
  readonly runLimitMs: number;
  /** Training pauses while fewer workers are ready. */
  readonly minWorkers: number;
  /** Longest pause, in ms; Infinity waits for ever. */
  readonly joinTimeoutMs: number;
  /**
   * A worker that owes work and computes nothing for this long is given up, in ms; each time, until the next step is
   * done, the time doubles. Its very first work may take `firstWorkTimeoutMs`.
   */
  readonly stallTimeoutMs: number;
  readonly firstWorkTimeoutMs: number;
  /** The gradient is clipped by its global norm: no slice is applied before all are complete. */
  readonly clipsGradient: boolean;
  /** Where the run begins: not at 0 where it goes on from a checkpoint. */
  readonly start: Start;
}

export interface Start {
  /** Steps that are done. */
  readonly step: number;
  /** Epochs whose evaluation is done as well: a run may have ended between an epoch's last step and that. */
  readonly evaluatedEpochs: number;
  /** The best of these epochs, where validation images tell. */
  readonly best?: BestEpoch;
}

/** The epoch after which most of the validation images came out right; of equals the first. */
export interface BestEpoch {
  /** From 0. */
  readonly epoch: number;
  /** Validation images that were classified correctly. */
  readonly correct: number;
}

/** Images that were classified correctly in an evaluation. */
export interface Correct {
  readonly test: number;
  readonly validation: number;
}

export const FROM_SCRATCH: Start = { step: 0, evaluatedEpochs: 0 };

export interface Training {
  readonly type: "training";
  /** From 0 over the whole run; also the version of the parameters that the step is computed on. */
  readonly step: number;
  readonly board: Board<SliceName>;
  /**
   * The next step's shards, given out while this step's convolutions are still being computed: workers then wait for
   * those parameters alone.
   */
  readonly ahead: Board<SliceName> | undefined;
  /** Answers that were not finite, with who gave them: a second one for the same slice of a shard ends the run. */
  readonly nonFinite: readonly NonFinite[];
}

export interface NonFinite {
  readonly shard: number;
  readonly slice: SliceName;
  readonly worker: string;
  /** When the answer came, in ms. */
  readonly at: number;
}

export interface Evaluating {
  readonly type: "evaluating";
  /** From 0. */
  readonly epoch: number;
  /** Whether this is of the weights amid an epoch, where the time was up, and the run ends with it. */
  readonly isAmidEpoch: boolean;
  readonly version: number;
  readonly board: Board<"count">;
  readonly correct: Correct;
}

export interface Finished {
  readonly type: "finished";
}

export interface State {
  readonly plan: Plan;
  /** Names this life of the coordinator in every session, in case it is restarted. */
  readonly incarnation: string;
  readonly members: Members;
  /** Most members that are given a step's shards; the others stand by. */
  readonly useWorkers: number;
  /** Workers welcomed so far. */
  readonly welcomed: number;
  readonly phase: Training | Evaluating | Finished;
  readonly interruptedBy: Signal | undefined;
  /** When the run began in this process, in ms. */
  readonly begunAt: number;
  /** It has lasted for as long as it may. */
  readonly isTimeUp: boolean;
  /** Undefined before the first evaluation, and without validation images. */
  readonly best: BestEpoch | undefined;
  /** Since when there is work that cannot be given out, and when that was last reported, in ms. */
  readonly waiting: { readonly since: number; readonly reportedAt: number } | undefined;
  /** Of the first member that was ready, and whether another one since has had a different one. */
  readonly arithmetic: (Arithmetic & { readonly isMixed: boolean }) | undefined;
  /** Workers refused so far. */
  readonly refused: number;
  /** Workers given up for computing nothing since the last step was committed. */
  readonly stalls: number;
  /** When a worker was last lost that was not the only one, or the run began: others may be about to join. In ms. */
  readonly companyAt: number;
  /** Places whose workers were lost soon after they had joined. */
  readonly flapping: ReadonlyMap<string, Flapping>;
}

/** What numbers are computed with: where it is the same, they are the same to the last bit. */
export interface Arithmetic {
  readonly engine: string;
  /** The device and the library, where the engine's numbers depend on them. */
  readonly place: string;
}

/** A host's device whose workers come and go. */
export interface Flapping {
  readonly losses: number;
  readonly lostAt: number;
  /** Until then it is not welcome, while there are enough others. */
  readonly until: number;
}

/** Something happened, at a time in ms. */
export type Event = { readonly at: number } & (
  | { readonly type: "start" }
  | {
      readonly type: "message";
      readonly peer: PeerId;
      readonly message: WorkerMessage;
      /** For a result: whether all its numbers are finite. */
      readonly finite: boolean;
    }
  | { readonly type: "malformed"; readonly peer: PeerId; readonly problem: string }
  | { readonly type: "peer-lost"; readonly peer: PeerId; readonly reason: string }
  | { readonly type: "process-exited"; readonly pid: number; readonly reason: string }
  /** Time has passed, `stoppedMs` of it while this process itself was stopped. */
  | { readonly type: "tick"; readonly stoppedMs: number }
  /** From the next step on, give shards to so many members only. */
  | { readonly type: "use-workers"; readonly count: number }
  | { readonly type: "interrupt"; readonly signal: Signal }
  /** Whoever starts the workers will start no more of them. */
  | { readonly type: "give-up"; readonly message: string }
);

/** Why a result did not count. */
export type Rejection =
  "unknown-session" | "stale-session" | "stale-step" | "not-owed" | "duplicate" | "not-finite" | "malformed";

/** Why a run that was done had not all its epochs. */
export type EarlyEnd = "patience" | "time";

export type Outcome =
  | { readonly type: "done"; readonly early?: EarlyEnd }
  | { readonly type: "interrupted"; readonly signal: Signal }
  | { readonly type: "not-enough-workers"; readonly message: string }
  | { readonly type: "diverged"; readonly message: string };

/** What the shell is to do, in order. */
export type Effect =
  | { readonly type: "welcome"; readonly peer: PeerId; readonly session: string; readonly name: string }
  | { readonly type: "refuse"; readonly peer: PeerId; readonly code: RejectionCode; readonly message: string }
  | {
      readonly type: "ping";
      readonly peer: PeerId;
      readonly session: string;
      readonly step: number;
      readonly id: number;
    }
  | { readonly type: "stop"; readonly peer: PeerId; readonly session: string; readonly reason: string }
  | { readonly type: "begin-step"; readonly step: number; readonly shardCount: number }
  | {
      readonly type: "send-parameters";
      readonly peer: PeerId;
      readonly session: string;
      readonly version: number;
      readonly slice: SliceName;
      /** For evaluation: the average over the steps. */
      readonly averaged: boolean;
    }
  | {
      readonly type: "assign";
      readonly peer: PeerId;
      readonly session: string;
      readonly step: number;
      readonly shards: readonly number[];
      /** Slices of the step's version that go along, since the worker lacks them. */
      readonly slices: readonly SliceName[];
    }
  | {
      readonly type: "evaluate";
      readonly peer: PeerId;
      readonly session: string;
      readonly version: number;
      readonly chunks: readonly number[];
    }
  /** Add the payload of the message at hand to the step's sums. */
  | { readonly type: "accept"; readonly slice: SliceName; readonly nodes: readonly TreeNode[] }
  /** Count the message at hand as rejected. */
  | { readonly type: "reject"; readonly reason: Rejection }
  | { readonly type: "apply-slice"; readonly step: number; readonly slice: SliceName }
  | { readonly type: "commit-step"; readonly step: number }
  | {
      readonly type: "epoch-evaluated";
      readonly epoch: number;
      readonly correct: Correct;
      /** Whether no epoch before had as many validation images right. */
      readonly isBest: boolean;
    }
  /** The weights amid an epoch were evaluated, with which the run ends. */
  | { readonly type: "end-evaluated"; readonly correct: Correct }
  | { readonly type: "report"; readonly event: TrainingEvent }
  | { readonly type: "finish"; readonly outcome: Outcome };
