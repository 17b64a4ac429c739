/**
 * What the coordinator tells the live page: JSON in server-sent events. Types only, for both sides. Absent numbers are
 * null, since JSON knows neither undefined nor NaN.
 */

/** What the run is doing. */
export type Phase = "starting" | "waiting" | "training" | "evaluating" | "finished" | "interrupted" | "failed";

/** The run at one moment. */
export interface LiveState {
  /** The name of the run's folder. */
  readonly run: string;
  readonly phase: Phase;
  /** A sentence about the phase where there is something to say; otherwise empty. */
  readonly note: string;
  /** Steps done, those before a resume included, of `totalSteps`; both 0 before the start. */
  readonly step: number;
  readonly totalSteps: number;
  /** Of the last step, from 1; 0 before the first. */
  readonly epoch: number;
  readonly epochs: number;
  /** Of the last step, in nats. */
  readonly loss: number | null;
  /** Mean over the last finished epoch, in nats. */
  readonly trainLoss: number | null;
  /** In the last evaluation, 0 to 1. */
  readonly testAccuracy: number | null;
  /** On the images held out for validation; null where there are none. */
  readonly validationAccuracy: number | null;
  /** The epoch with the fewest errors on these, from 1; null also while this start of the run has not seen it. */
  readonly bestEpoch: number | null;
  /** Over the last 10 seconds of training; at the end, over the whole run. */
  readonly samplesPerSecond: number | null;
  readonly learningRate: number | null;
  /** Ready now. */
  readonly workers: number;
  readonly workersLost: number;
  /** Since the first work was given out. */
  readonly elapsedSeconds: number;
  /** Until the end, at the speed of the last seconds. */
  readonly etaSeconds: number | null;
}

/** Points of the curves over steps, a column each, in the order of the steps. */
export interface StepColumns {
  /** The last step of each point. */
  readonly step: readonly number[];
  /** Means over the point's samples. */
  readonly loss: readonly (number | null)[];
  readonly accuracy: readonly (number | null)[];
  readonly samplesPerSecond: readonly (number | null)[];
}

/** The curves over epochs, a column each; the last point may be of an epoch amid which the run ended. */
export interface EpochColumns {
  /** The last step of each epoch. */
  readonly step: readonly number[];
  readonly epoch: readonly number[];
  readonly trainLoss: readonly (number | null)[];
  readonly testAccuracy: readonly number[];
  readonly validationAccuracy: readonly (number | null)[];
}

/** `left` and `lost` are gone; the others are here. */
export type WorkerState = "joining" | "ready" | "standby" | "late" | "leaving" | "left" | "lost";

/** A row of the table of workers. */
export interface LiveWorker {
  readonly name: string;
  readonly host: string;
  /** Engine and device. */
  readonly device: string;
  readonly state: WorkerState;
  /** Shards that it was given and answered, in all steps. */
  readonly shards: number;
  /** What a shard takes it, smoothed; null of those that are gone. */
  readonly shardMs: number | null;
  /** Shards that others computed as well since it was late, or in its place since it was gone. */
  readonly shardsLate: number;
}

export type Tone = "info" | "good" | "warning" | "bad";

/** Something that happened, in words. */
export interface LiveEvent {
  /** From 1, in the order in which they happened. */
  readonly id: number;
  /** Unix time of the last of them, in ms. */
  readonly at: number;
  readonly tone: Tone;
  readonly text: string;
  /** How often the same happened in a row. */
  readonly times: number;
}

/** The event `snapshot`: everything, for a page that knows nothing or whose points were merged. */
export interface Snapshot {
  readonly state: LiveState;
  readonly steps: StepColumns;
  readonly epochs: EpochColumns;
  readonly workers: readonly LiveWorker[];
  readonly events: readonly LiveEvent[];
}

/** The event `update`: what has changed since the one before; lists that are absent have not. */
export interface Update {
  readonly state: LiveState;
  /** In place of the points from the index `from` on. */
  readonly steps: StepColumns & { readonly from: number };
  readonly epochs?: EpochColumns;
  readonly workers: readonly LiveWorker[];
  readonly events?: readonly LiveEvent[];
}

/** What a run came to. */
export interface LiveResult {
  /** After the last epoch; with validation images, of the weights that had the fewest errors on those. */
  readonly testAccuracy: number | null;
  /** Of the same weights; null without validation images. */
  readonly validationAccuracy: number | null;
  /** The epoch whose weights these are, from 1; null where they are the last ones. */
  readonly bestEpoch: number | null;
  /** Why the run ended before all its epochs as it was told to; otherwise null. */
  readonly endedBy: "patience" | "time" | null;
  /** Epochs completed. */
  readonly epochs: number;
  readonly trainLoss: number | null;
  readonly steps: number;
  readonly trainSeconds: number;
  readonly samplesPerSecond: number;
  readonly engine: string;
  readonly weightsSha256: string;
  readonly checkpoint: string;
  /** The path of that of `bestEpoch`; empty where there is none. */
  readonly bestCheckpoint: string;
  readonly samplesLost: number;
  readonly samplesRepeated: number;
  /** A sentence on what limited the run; empty where it was too short to tell. */
  readonly limit: string;
}

/** The event `end`: nothing follows, and the page is not to connect again. */
export interface End {
  readonly state: LiveState;
  /** Null of a run that failed, or that went away without a word. */
  readonly result: LiveResult | null;
}
