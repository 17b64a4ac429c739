import type { TrainingConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { type HeldOut, holdOut } from "../shared/data/held-out.ts";
import { BatchPlan, epochOrder } from "../shared/data/sampler.ts";
import { LockstepError } from "../shared/errors.ts";
import { modelDigest } from "../shared/model/digest.ts";
import { samplesPerStep } from "../shared/samples-per-step.ts";
import { FROM_SCRATCH, type Plan, type Start } from "./machine/types.ts";

/** Images in one unit of evaluation. */
const EVALUATION_CHUNK = 250;

const STALL_TIMEOUT_MS = 30_000;
/** A device may compile its kernels for minutes. */
const FIRST_WORK_TIMEOUT_MS = 10 * 60_000;

/** One shard's samples. */
export interface ShardSamples {
  readonly index: number;
  /** Indices into the training set, a view. */
  readonly samples: Uint32Array;
}

/** One unit of evaluation: images from `first` on, of the test set or in the list of those held out for validation. */
export interface Chunk {
  readonly images: "test" | "validation";
  readonly first: number;
  readonly count: number;
}

/** A run's work, cut into epochs, steps, shards and evaluation chunks: a function of configuration and data alone. */
export class RunPlan {
  readonly epochs: number;
  /** Images in an epoch: those held out for validation are not among them. */
  readonly trainSamples: number;
  readonly validationSamples: number;
  readonly testSamples: number;
  readonly batches: BatchPlan;
  readonly #seed: number;
  readonly #heldOut: HeldOut;
  #order: { readonly epoch: number; readonly samples: Uint32Array } | undefined;

  /** @throws LockstepError `usage` when nothing would be left to train on */
  constructor(config: TrainingConfig, dataset: DatasetSummary) {
    const available = Math.min(config.limitTrain ?? dataset.trainSamples, dataset.trainSamples);
    if (config.validation >= available) {
      throw new LockstepError(
        "usage",
        `--validation ${config.validation} leaves nothing to train on: there are ${available} training images; ` +
          `allowed: at most ${available - 1}`,
      );
    }
    this.epochs = config.epochs;
    this.validationSamples = config.validation;
    this.trainSamples = available - config.validation;
    this.testSamples = dataset.testSamples;
    this.batches = new BatchPlan(this.trainSamples, samplesPerStep(config), config.shardSize);
    this.#seed = config.seed;
    this.#heldOut = holdOut(config.seed, available, config.validation);
  }

  get stepsPerEpoch(): number {
    return this.batches.stepsPerEpoch;
  }

  get totalSteps(): number {
    return this.epochs * this.stepsPerEpoch;
  }

  epochOf(step: number): number {
    return Math.floor(step / this.stepsPerEpoch);
  }

  /** Samples in a step's global batch. */
  batchSizeOf(step: number): number {
    return this.batches.batchSizeOf(step % this.stepsPerEpoch);
  }

  shardCountOf(step: number): number {
    return this.batches.shardCountOf(step % this.stepsPerEpoch);
  }

  /** Samples in the first so many steps of the run. */
  samplesBefore(step: number): number {
    return this.epochOf(step) * this.trainSamples + this.samplesOfEpochBefore(step);
  }

  /** Samples in the steps before this one, of its epoch. */
  samplesOfEpochBefore(step: number): number {
    return (step % this.stepsPerEpoch) * this.batches.batchSize;
  }

  /** @param step from 0 over the whole run */
  shard(step: number, index: number): ShardSamples {
    const { start, end } = this.batches.shardRange(step % this.stepsPerEpoch, index);
    return { index, samples: this.#orderOf(this.epochOf(step)).subarray(start, end) };
  }

  /** Chunks of an evaluation that are of validation images: the first ones. */
  get validationChunks(): number {
    return Math.ceil(this.validationSamples / EVALUATION_CHUNK);
  }

  /** @param index of an evaluation's chunk */
  chunk(index: number): Chunk {
    const isTest = index >= this.validationChunks;
    const first = (isTest ? index - this.validationChunks : index) * EVALUATION_CHUNK;
    const samples = isTest ? this.testSamples : this.validationSamples;
    return { images: isTest ? "test" : "validation", first, count: Math.min(EVALUATION_CHUNK, samples - first) };
  }

  /** What the machine needs to know of it. */
  forMachine(config: TrainingConfig, dataset: DatasetSummary, start: Start = FROM_SCRATCH): Plan {
    return {
      terms: { dataDigest: dataset.digest, modelDigest: modelDigest(), dataName: dataset.name },
      epochs: this.epochs,
      stepsPerEpoch: this.stepsPerEpoch,
      shardsPerStep: this.shardCountOf(0),
      shardsInLastStep: this.shardCountOf(this.stepsPerEpoch - 1),
      evaluationChunks: this.validationChunks + Math.ceil(this.testSamples / EVALUATION_CHUNK),
      validationChunks: this.validationChunks,
      patience: config.patience,
      runLimitMs: config.maxMinutes === undefined ? Infinity : config.maxMinutes * 60_000,
      minWorkers: config.minWorkers,
      joinTimeoutMs: config.joinTimeoutS === 0 ? Infinity : config.joinTimeoutS * 1000,
      stallTimeoutMs: STALL_TIMEOUT_MS,
      firstWorkTimeoutMs: FIRST_WORK_TIMEOUT_MS,
      clipsGradient: config.clipNorm !== undefined,
      start,
    };
  }

  #orderOf(epoch: number): Uint32Array {
    if (this.#order?.epoch !== epoch) {
      const samples = epochOrder(this.#seed, epoch, this.trainSamples);
      const { training } = this.#heldOut;
      // The order is of places among those that are left.
      if (training !== undefined) for (const [i, place] of samples.entries()) samples[i] = training[place]!;
      this.#order = { epoch, samples };
    }
    return this.#order.samples;
  }
}
