import type { Signal } from "./errors.ts";

/** What a training run tells whoever watches it: the progress display, the metrics and library users. */

export type TrainingEvent =
  /** Where /metrics, /healthz, /readyz and /status answer. */
  | {
      readonly type: "monitoring";
      readonly url: string;
      /** The run's folder. */
      readonly runDir: string;
    }
  | { readonly type: "listening"; readonly address: string }
  | {
      readonly type: "started";
      readonly epochs: number;
      readonly stepsPerEpoch: number;
      readonly totalSteps: number;
      readonly trainSamples: number;
      readonly testSamples: number;
      readonly workers: number;
      /** Steps done before: above 0 where a run is resumed. */
      readonly step: number;
    }
  /** The run goes on from a checkpoint. */
  | {
      readonly type: "resumed";
      readonly runDir: string;
      /** The checkpoint's. */
      readonly path: string;
      /** Steps done before. */
      readonly step: number;
      readonly totalSteps: number;
      /** Of the next step, from 1; the last one where there is none. */
      readonly epoch: number;
      readonly epochs: number;
      readonly testSamples: number;
      /** Of the epochs done, from 1, the one with the fewest validation errors; null without validation, and before any. */
      readonly bestEpoch: number | null;
    }
  | {
      readonly type: "worker-joined";
      readonly worker: string;
      readonly engine: string;
      readonly device: string;
      /** The library that computes and its version, and the version of the device's driver: where there is one. */
      readonly runtime?: string;
      readonly driver?: string;
      readonly host: string;
      readonly pid: number;
      /** Workers ready now, this one included. */
      readonly workers: number;
    }
  | {
      readonly type: "worker-left";
      readonly worker: string;
      /** A sentence: why it left. */
      readonly reason: string;
      /** True when it died or failed; false when it said that it was leaving. */
      readonly lost: boolean;
      /** Shards that other workers now compute in its place. */
      readonly shardsReassigned: number;
      readonly workers: number;
    }
  /** A worker is late with its shards: idle ones, now or as soon as there are any, compute them as well. */
  | {
      readonly type: "worker-late";
      readonly worker: string;
      /** From 1. */
      readonly step: number;
      readonly shards: number;
      /** Since it was last heard to compute anything. */
      readonly lateMs: number;
    }
  /** `--workers auto` has found out how many of the workers are fastest; the others stand by. */
  | {
      readonly type: "workers-chosen";
      readonly workers: number;
      /** From all workers down to one: how long a step of a full batch takes, in ms. */
      readonly tried: readonly { readonly workers: number; readonly stepMs: number }[];
    }
  | { readonly type: "waiting"; readonly workers: number; readonly minWorkers: number; readonly waitedMs: number }
  | {
      readonly type: "step";
      /** From 1. */
      readonly epoch: number;
      /** From 1, within the epoch. */
      readonly stepInEpoch: number;
      /** Steps done since the start of the run, this one included. */
      readonly step: number;
      /** Mean loss of this step's global batch, in nats. */
      readonly loss: number;
      readonly learningRate: number;
      /** Samples in this global batch. */
      readonly samples: number;
      /** Those of them that were classified correctly, before the step. */
      readonly correct: number;
      /** Samples of the epoch that have counted so far, each of them once: as counted when results came. */
      readonly samplesCounted: number;
      /**
       * Norm of the gradient over all weights, before it was clipped; null where it was not computed. With `clipNorm` it is
       * in every step, otherwise in every tenth step of an epoch and in those that `logEvery` logs.
       */
      readonly gradientNorm: number | null;
      /** From the step's first assignment to its weights. */
      readonly stepMs: number;
      readonly workers: number;
      /** Where that time went. */
      readonly phases: StepPhases;
    }
  | ({
      readonly type: "epoch";
      /** From 1. */
      readonly epoch: number;
      /** Mean over the epoch's samples, in nats. */
      readonly trainLoss: number;
      /** Mean over the epoch's samples, each as it was classified when its turn came, 0 to 1. */
      readonly trainAccuracy: number;
      /** Whether no epoch before had as few errors on the validation images; false where there are none. */
      readonly isBest: boolean;
      /** Training samples a second over this epoch, evaluation not counted. */
      readonly samplesPerSecond: number;
    } & Evaluation)
  /** The run's time was up amid an epoch: its last weights were evaluated. */
  | ({
      readonly type: "end-evaluated";
      /** Steps done. */
      readonly step: number;
    } & Evaluation)
  | { readonly type: "rejected"; readonly reason: string }
  /** Somebody was not let in, for want of the right key. Told every 10 s at most for each reason. */
  | {
      readonly type: "connection-refused";
      /** For this reason, since it was last told. */
      readonly connections: number;
      /** A sentence without a subject. */
      readonly reason: string;
    }
  /** A checkpoint is safely on disk. */
  | {
      readonly type: "checkpoint";
      readonly path: string;
      readonly step: number;
      readonly sizeBytes: number;
      /** From the beginning of its writing until it was there to stay. */
      readonly durationMs: number;
    }
  /** One could not be written; the training goes on. Warnings say when that begins and ends. */
  | {
      readonly type: "checkpoint-failed";
      readonly message: string;
      /** The newest step that was to be saved. */
      readonly step: number;
    }
  | {
      readonly type: "warning";
      readonly message: string;
      /** Of the local worker's process that it is about, if it is about one. */
      readonly pid?: number;
    }
  | { readonly type: "finished"; readonly result: TrainingResult };

/** How well the averaged weights classify images that they were not trained on. */
export interface Evaluation {
  /** 0 to 1. */
  readonly testAccuracy: number;
  readonly testErrors: number;
  readonly testSamples: number;
  /** Of the training images held out for validation, 0 to 1; null where there are none. */
  readonly validationAccuracy: number | null;
  readonly validationErrors: number | null;
  readonly validationSamples: number;
}

/** What a step's time was spent on, on both sides. */
export interface StepPhases {
  /** Those that sent any result for the step, lost ones included. */
  readonly workers: readonly WorkerPhases[];
  readonly coordinator: CoordinatorPhases;
}

/** A worker's part in a step, by its own clock but for `wireMs`. Waiting, gathering and computing follow each other. */
export interface WorkerPhases {
  readonly worker: string;
  /** Shards that it was given, those of a lost worker included. */
  readonly shards: number;
  /** Idle, from the end of its last task, of whatever kind, until it had all that this one needs. */
  readonly waitMs: number;
  /** Making inputs: resizing, and distorting where that is asked for. */
  readonly gatherMs: number;
  /** In the engine, and adding up shards. */
  readonly computeMs: number;
  /**
   * From the coordinator's sending the last thing that the worker needed to the arrival of its last result, less the time
   * that the worker held it: messages on their way, both ways, threads that wake up, and queues. Most of it is waiting,
   * seen from the coordinator: the two overlap.
   */
  readonly wireMs: number;
}

/** The coordinator's part in a step. Most of it is done while workers compute. */
export interface CoordinatorPhases {
  /** Reading messages, and deciding what follows. */
  readonly decideMs: number;
  /** Copying sums out of messages and adding them up. */
  readonly reduceMs: number;
  /** The optimizer, and the running average of the weights. */
  readonly adamMs: number;
  /** Writing messages and handing them over to the transport. */
  readonly sendMs: number;
  /**
   * From the moment by which the step's last result must have been sent to the step's weights, when all workers wait: a
   * part of the above, and the way of the result.
   */
  readonly tailMs: number;
}

/**
 * What kept a run from being faster: work itself (computing, or making inputs); the way between coordinator and workers;
 * the coordinator; one slow worker; shards that cannot be shared evenly; or workers that wait for one another by turns.
 */
export type Limit = "computing" | "inputs" | "exchange" | "coordinator" | "straggler" | "shards" | "imbalance";

/** How well the workers were used, measured over a run's steps. */
export interface Efficiency {
  readonly limitedBy: Limit;
  /** A sentence for people, with advice where there is any. */
  readonly summary: string;
  /** Steps that were measured: all but the first ones. */
  readonly steps: number;
  /** Workers that were ready, on average. */
  readonly workers: number;
  /** As many workers, busy all the time, would have done the same work in the same time. */
  readonly workDone: number;
  /** What the workers' time went to; together 1. */
  readonly shares: {
    readonly computing: number;
    readonly inputs: number;
    /** Messages on their way, and whatever else is not told apart. */
    readonly exchange: number;
    /** While the coordinator made the weights of what had come from all. */
    readonly coordinator: number;
    /** Until the slowest worker was done as well. */
    readonly imbalance: number;
    /** Workers without a shard. */
    readonly idle: number;
  };
}

/** What a run comes to: the object that `--json` prints and the library returns. */
export interface TrainingResult {
  /**
   * After the last epoch, 0 to 1; null when the run ended before its first evaluation. With validation images, of the
   * weights that had the fewest errors on those.
   */
  readonly testAccuracy: number | null;
  readonly testErrors: number | null;
  /** Of the same weights, on the validation images; null where there are none. */
  readonly validationAccuracy: number | null;
  readonly validationErrors: number | null;
  /**
   * The epoch after which these were the weights, from 1: `checkpoints/best`. Null without validation images, and where
   * the last weights of a run that ended amid an epoch are better.
   */
  readonly bestEpoch: number | null;
  /** Mean loss over the last epoch's samples, in nats; null when no step was finished. */
  readonly trainLoss: number | null;
  /** Epochs completed. */
  readonly epochs: number;
  readonly steps: number;
  /** Training samples that went into the weights. */
  readonly samples: number;
  /** Samples that should have gone into them and did not, and those that did twice: counted, and 0. */
  readonly samplesLost: number;
  readonly samplesRepeated: number;
  /** The step of the checkpoint from which the run was resumed; all times, speeds and workers are those since. */
  readonly resumedFrom: number | null;
  /** From the first assignment to the last weights, evaluation included. */
  readonly trainSeconds: number;
  /** From the start of the coordinator to its end. */
  readonly wallSeconds: number;
  /** Training samples of that time over `trainSeconds`. */
  readonly samplesPerSecond: number;
  /** Most workers that were ready at one time. */
  readonly workers: number;
  readonly workersLost: number;
  readonly shardsReassigned: number;
  readonly engine: string;
  /** SHA-256 over the little-endian float32 parameters, then running statistics, in table order. */
  readonly weightsSha256: string;
  readonly runDir: string;
  /** Empty when nothing was saved. */
  readonly checkpoint: string;
  /** Null when the run was too short to tell. */
  readonly efficiency: Efficiency | null;
  /** Set when a signal ended the run early. */
  readonly interruptedBy?: Signal;
  /** Set when the run ended before all its epochs as it was told to: for want of progress, or because its time was up. */
  readonly endedBy?: "patience" | "time";
}
