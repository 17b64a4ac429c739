import type { TrainingConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { BatchPlan, epochOrder } from "../shared/data/sampler.ts";
import { modelDigest } from "../shared/model/digest.ts";
import { FROM_SCRATCH, type Plan, type Start } from "./machine/types.ts";

/** Test images in one unit of evaluation. */
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

/** A run's work, cut into epochs, steps, shards and evaluation chunks: a function of configuration and data alone. */
export class RunPlan {
  readonly epochs: number;
  readonly trainSamples: number;
  readonly testSamples: number;
  readonly batches: BatchPlan;
  readonly #seed: number;
  #order: { readonly epoch: number; readonly samples: Uint32Array } | undefined;

  constructor(config: TrainingConfig, dataset: DatasetSummary) {
    this.epochs = config.epochs;
    this.trainSamples = Math.min(config.limitTrain ?? dataset.trainSamples, dataset.trainSamples);
    this.testSamples = dataset.testSamples;
    this.batches = new BatchPlan(this.trainSamples, config.batchSize, config.shardSize);
    this.#seed = config.seed;
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

  /** Test images of one evaluation chunk. */
  chunk(index: number): { readonly first: number; readonly count: number } {
    const first = index * EVALUATION_CHUNK;
    return { first, count: Math.min(EVALUATION_CHUNK, this.testSamples - first) };
  }

  /** What the machine needs to know of it. */
  forMachine(config: TrainingConfig, dataset: DatasetSummary, start: Start = FROM_SCRATCH): Plan {
    return {
      terms: { dataDigest: dataset.digest, modelDigest: modelDigest(), dataName: dataset.name },
      epochs: this.epochs,
      stepsPerEpoch: this.stepsPerEpoch,
      shardsPerStep: this.shardCountOf(0),
      shardsInLastStep: this.shardCountOf(this.stepsPerEpoch - 1),
      evaluationChunks: Math.ceil(this.testSamples / EVALUATION_CHUNK),
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
      this.#order = { epoch, samples: epochOrder(this.#seed, epoch, this.trainSamples) };
    }
    return this.#order.samples;
  }
}
