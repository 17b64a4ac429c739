import type { Signal } from "./errors.ts";

/** What a training run tells whoever watches it: the progress display, the metrics and library users. */

export type TrainingEvent =
  /** Where /metrics, /healthz and /status answer. */
  | { readonly type: "monitoring"; readonly url: string }
  | { readonly type: "listening"; readonly address: string }
  | {
      readonly type: "started";
      readonly epochs: number;
      readonly stepsPerEpoch: number;
      readonly totalSteps: number;
      readonly trainSamples: number;
      readonly testSamples: number;
      readonly workers: number;
    }
  | {
      readonly type: "worker-joined";
      readonly worker: string;
      readonly engine: string;
      readonly device: string;
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
      /** From the step's first assignment to its weights. */
      readonly stepMs: number;
      readonly workers: number;
    }
  | {
      readonly type: "epoch";
      /** From 1. */
      readonly epoch: number;
      /** Mean over the epoch's samples, in nats. */
      readonly trainLoss: number;
      /** Mean over the epoch's samples, each as it was classified when its turn came, 0 to 1. */
      readonly trainAccuracy: number;
      readonly testAccuracy: number;
      readonly testErrors: number;
      readonly testSamples: number;
      /** Training samples a second over this epoch, evaluation not counted. */
      readonly samplesPerSecond: number;
    }
  | { readonly type: "rejected"; readonly reason: string }
  | { readonly type: "checkpoint"; readonly path: string; readonly step: number }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "finished"; readonly result: TrainingResult };

/** What a run comes to: the object that `--json` prints and the library returns. */
export interface TrainingResult {
  /** After the last epoch, 0 to 1; null when the run ended before its first epoch did. */
  readonly testAccuracy: number | null;
  readonly testErrors: number | null;
  /** Mean loss over the last epoch's samples, in nats; null when no step was finished. */
  readonly trainLoss: number | null;
  /** Epochs completed. */
  readonly epochs: number;
  readonly steps: number;
  /** Training samples that went into the weights. */
  readonly samples: number;
  /** From the first assignment to the last weights, evaluation included. */
  readonly trainSeconds: number;
  /** From the start of the coordinator to its end. */
  readonly wallSeconds: number;
  /** Training samples over `trainSeconds`. */
  readonly samplesPerSecond: number;
  /** Most workers that were ready at one time. */
  readonly workers: number;
  readonly workersLost: number;
  readonly shardsReassigned: number;
  readonly engine: string;
  /** SHA-256 over the little-endian float32 parameters, then running statistics, in table order. */
  readonly weightsSha256: string;
  readonly runDir: string;
  readonly checkpoint: string;
  /** Set when a signal ended the run early. */
  readonly interruptedBy?: Signal;
}
