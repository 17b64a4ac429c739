import { ModelState } from "../coordinator/model-state.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { InputSource } from "../shared/data/input-source.ts";
import { epochOrder } from "../shared/data/sampler.ts";
import {
  CORRECT_IN_DENSE,
  LOSS_IN_DENSE,
  type SliceName,
  SLICE_NAMES,
  SLICES,
  STATISTICS_IN_DENSE,
  writeStatistics,
} from "../shared/model/contribution.ts";
import { initialState } from "../shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT, STATISTIC_COUNT } from "../shared/model/lenet5.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import { VectorMemory } from "../shared/vector/vector-memory.ts";
import { privatePool } from "../shared/vector/vector-pool.ts";
import type { Engine, ShardGradient } from "../worker/engines/engine.ts";

/** The recipe's. */
const SHARD_SIZE = 32;
const LEARNING_RATE = Math.fround(0.001);
const EMA = 0.998;
const SEED = 1;

/**
 * Training as one plain loop in one thread, out of the same parts as a distributed run and to the same weights, but with
 * no messages: what one worker could do at best.
 */
export class InProcessTrainer {
  readonly #engine: Engine;
  readonly #batchSize: number;
  readonly #inputs: InputSource;
  readonly #order: Uint32Array;
  readonly #memory = new VectorMemory();
  readonly #model = new ModelState(this.#memory, initialState(SEED), EMA);
  readonly #sums: Record<SliceName, PartialSums> = {
    dense: new PartialSums(this.#memory, privatePool(this.#memory, SLICES.dense.contributionLength)),
    conv: new PartialSums(this.#memory, privatePool(this.#memory, SLICES.conv.contributionLength)),
  };
  readonly #pixels = new Uint8Array(SHARD_SIZE * IMAGE_SIZE);
  readonly #labels = new Uint8Array(SHARD_SIZE);
  #next = 0;

  /** @param samples train on the first so many images, in the order of the first epoch, again and again */
  constructor(engine: Engine, dataset: Dataset, batchSize: number, samples: number) {
    this.#engine = engine;
    this.#batchSize = batchSize;
    this.#inputs = new InputSource(dataset.train);
    this.#order = epochOrder(SEED, 0, samples);
    this.#engine.load(this.#model.state.subarray(0, PARAMETER_COUNT));
  }

  /** The averaged state vector, `[61_794]`: what a run would save. */
  get average(): Float32Array {
    return this.#model.average;
  }

  /** Trains on one batch; the last one of an epoch may be short. */
  async step(): Promise<void> {
    const batch = this.#order.subarray(this.#next, this.#next + this.#batchSize);
    this.#next = (this.#next + batch.length) % this.#order.length;
    for (const slice of SLICE_NAMES) this.#sums[slice].reset(Math.ceil(batch.length / SHARD_SIZE));
    for (const slice of SLICE_NAMES) {
      const { start, parameterLength } = SLICES[slice];
      this.#engine.load(this.#model.slice(slice).subarray(0, parameterLength), start);
    }
    for (let start = 0; start < batch.length; start += SHARD_SIZE) {
      const samples = batch.subarray(start, start + SHARD_SIZE);
      const images = this.#pixels.subarray(0, samples.length * IMAGE_SIZE);
      const labels = this.#labels.subarray(0, samples.length);
      this.#inputs.gatherPixels(samples, images, labels);
      const gradient = await this.#engine.gradients({ images, labels, globalCount: batch.length });
      this.#addShard(start / SHARD_SIZE, gradient, samples.length, batch.length);
    }
    for (const slice of SLICE_NAMES) this.#model.applySlice(slice, this.#sums[slice].total(), LEARNING_RATE);
    this.#model.commit();
  }

  #addShard(index: number, shard: ShardGradient, count: number, globalCount: number): void {
    for (const slice of SLICE_NAMES) {
      const { start, parameterLength } = SLICES[slice];
      const vector = this.#sums[slice].borrow();
      const { values } = vector;
      values.set(shard.gradient.subarray(start, start + parameterLength));
      if (slice === "dense") {
        const statistics = values.subarray(STATISTICS_IN_DENSE, STATISTICS_IN_DENSE + STATISTIC_COUNT);
        writeStatistics(statistics, shard.batchMean, shard.batchVar, count, globalCount);
        values[LOSS_IN_DENSE] = shard.lossSum;
        values[CORRECT_IN_DENSE] = shard.correct;
      }
      this.#sums[slice].add({ level: 0, index }, vector);
    }
  }
}
