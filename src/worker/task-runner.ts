import { InputSource } from "../shared/data/input-source.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { holdOut } from "../shared/data/held-out.ts";
import {
  runningStatistics,
  type SliceName,
  SLICE_NAMES,
  SLICES,
  STATISTICS_IN_DENSE,
} from "../shared/model/contribution.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT, STATISTIC_COUNT } from "../shared/model/lenet5.ts";
import type { Assign, Evaluate, Welcome } from "../shared/protocol/messages.ts";
import { FRESH_MEMORY, type PayloadMemory } from "../shared/transport/transport.ts";
import type { DenseFinal, Engine, ShardGradient } from "./engines/engine.ts";
import type { TaskClock } from "./task-clock.ts";
import { KeptParameters, type VersionName } from "./kept-parameters.ts";
import { ShardSums, type SummedSlice } from "./shard-sums.ts";

/** What a running task tells. */
export interface TaskListener {
  /** A slice's partial sums are final. */
  onSlice(slice: SliceName, summed: SummedSlice): void;
  /** A chunk was evaluated. */
  onEvaluated(correct: number): void;
  /** One more shard or chunk is computed. */
  onComputed(): void;
  /** True once nobody wants the task's results any more. */
  isCancelled(): boolean;
}

/** A worker's hands: parameters, inputs and engine, and how a task is computed with them. */
export class TaskRunner {
  readonly #engine: Engine;
  readonly #clock: TaskClock;
  readonly #train: InputSource;
  readonly #test: InputSource;
  readonly #sums: ShardSums;
  readonly #parameters: KeptParameters;
  /** Which version of each slice the engine holds. */
  readonly #loaded: Record<SliceName, VersionName | undefined> = { dense: undefined, conv: undefined };
  #augmentSeed: number | undefined;
  #labelSmoothing = 0;
  /** Indices into the training set, of the images that are held out. */
  #validation: Uint32Array = new Uint32Array(0);
  /** Pixels, `[n][32][32]`. */
  #images = new Uint8Array(0);
  #labels = new Uint8Array(0);
  /** The task whose first shard's inputs stand ready. */
  #gathered: Assign | undefined;

  /** @param memory of the transport: of the frames that are kept, and of the vectors that `onSlice` is given */
  constructor(engine: Engine, dataset: Dataset, clock: TaskClock, memory: PayloadMemory = FRESH_MEMORY) {
    this.#engine = engine;
    this.#parameters = new KeptParameters(memory);
    this.#sums = new ShardSums(memory);
    this.#clock = clock;
    this.#train = new InputSource(dataset.train);
    this.#test = new InputSource(dataset.test);
  }

  /**
   * Makes ready for a run: allocates, and computes one shard of zeros, both ways, so that the first real ones are not
   * slowed down by what is loaded and compiled for them.
   */
  async prepare(welcome: Welcome): Promise<void> {
    const { shardSize, augment, seed, labelSmoothing } = welcome;
    this.#holdOut(welcome);
    for (const slice of SLICE_NAMES) this.#loaded[slice] = undefined;
    this.#gathered = undefined;
    this.#augmentSeed = augment ? seed : undefined;
    this.#labelSmoothing = labelSmoothing;
    this.#reserve(shardSize);
    this.#engine.load(new Float32Array(PARAMETER_COUNT));
    const images = this.#images.subarray(0, shardSize * IMAGE_SIZE).fill(0);
    const labels = this.#labels.subarray(0, shardSize).fill(0);
    await this.#engine.gradients({ images, labels, globalCount: shardSize });
    const runningVar = new Float32Array(STATISTIC_COUNT / 2).fill(1);
    await this.#engine.evaluate({ images, labels, runningMean: new Float32Array(STATISTIC_COUNT / 2), runningVar });
  }

  /** @param frame the slice's float32 values as received */
  keepParameters(name: VersionName & { readonly slice: SliceName }, frame: Uint8Array): void {
    this.#parameters.keep(name.slice, name, frame);
  }

  /** Does what can be done for the next task before the last of its parameters have come. */
  anticipate(task: Assign, samples: Uint32Array): void {
    const [first] = task.shards;
    if (first === undefined) return;
    const name = { version: task.step, averaged: false };
    // Nearly always it is the convolutions' slice that is still to come; not so where a dense result was lost.
    for (const slice of SLICE_NAMES) if (this.#parameters.has(slice, name)) this.#load(slice, name);
    this.#clock.gatherAhead(() => this.#gather(task, samples.subarray(0, first.count)));
    this.#gathered = task;
  }

  /** @param samples indices into the training set, for all shards in order */
  async computeStep(task: Assign, samples: Uint32Array, listener: TaskListener): Promise<void> {
    for (const slice of SLICE_NAMES) this.#load(slice, { version: task.step, averaged: false });
    this.#sums.reset(task.shardCount);
    let start = 0;
    for (const [i, { index, count }] of task.shards.entries()) {
      if (i > 0) await this.#clock.lookUp();
      if (listener.isCancelled()) return;
      const indices = samples.subarray(start, start + count);
      start += count;
      const isLast = i === task.shards.length - 1;
      const denseFinal = (): void => {
        if (isLast) this.#emit("dense", listener);
      };
      await this.#computeShard(task, index, indices, denseFinal);
      if (isLast) this.#emit("conv", listener);
      if (listener.isCancelled()) return;
      listener.onComputed();
    }
  }

  async #computeShard(task: Assign, shard: number, indices: Uint32Array, onDense: () => void): Promise<void> {
    const count = indices.length;
    if (this.#gathered !== task) this.#clock.gather(() => this.#gather(task, indices));
    this.#gathered = undefined;
    const images = this.#images.subarray(0, count * IMAGE_SIZE);
    const labels = this.#labels.subarray(0, count);
    let denseDone = false;
    const denseFinal: DenseFinal = (partial: ShardGradient) => {
      denseDone = true;
      this.#sums.addDense(shard, partial, count, task.globalCount);
      onDense();
    };
    const shardInput = { images, labels, globalCount: task.globalCount, labelSmoothing: this.#labelSmoothing };
    const gradient = await this.#engine.gradients(shardInput, denseFinal);
    if (!denseDone) denseFinal(gradient);
    this.#sums.addConv(shard, gradient);
  }

  #gather(task: Assign, indices: Uint32Array): void {
    this.#reserve(indices.length);
    const augmentation = this.#augmentSeed === undefined ? undefined : { seed: this.#augmentSeed, epoch: task.epoch };
    this.#train.gatherPixels(indices, this.#images, this.#labels, augmentation);
  }

  /** @throws Error when images are asked for that are not there */
  async evaluate({ version, images: from, first, count }: Evaluate, listener: TaskListener): Promise<void> {
    for (const slice of SLICE_NAMES) this.#load(slice, { version, averaged: true });
    this.#reserve(count);
    this.#gathered = undefined;
    const images = this.#images.subarray(0, count * IMAGE_SIZE);
    const labels = this.#labels.subarray(0, count);
    if (from === "test") this.#test.gatherPixelsRange(first, first + count, images, labels);
    else this.#train.gatherPixels(this.#heldOut(first, count), images, labels);
    const dense = this.#parameters.of("dense", { version, averaged: true });
    const running = runningStatistics(dense.subarray(STATISTICS_IN_DENSE));
    const { logits } = await this.#engine.evaluate({ images, labels, ...running });
    if (listener.isCancelled()) return;
    listener.onComputed();
    listener.onEvaluated(countCorrect(logits, labels));
  }

  #holdOut({ seed, trainSamples, validationSamples }: Welcome): void {
    if (trainSamples > this.#train.count || validationSamples >= trainSamples) {
      throw new RangeError(
        `${validationSamples} of ${trainSamples} training images cannot be held out: here there are ${this.#train.count}`,
      );
    }
    this.#validation = holdOut(seed, trainSamples, validationSamples).validation;
  }

  #heldOut(first: number, count: number): Uint32Array {
    const samples = this.#validation.subarray(first, first + count);
    if (samples.length === count) return samples;
    throw new RangeError(`validation images ${first} to ${first + count} are not among ${this.#validation.length}`);
  }

  #emit(slice: SliceName, listener: TaskListener): void {
    if (!listener.isCancelled()) listener.onSlice(slice, this.#sums.take(slice));
  }

  #load(slice: SliceName, name: VersionName): void {
    const loaded = this.#loaded[slice];
    if (loaded?.version === name.version && loaded.averaged === name.averaged) return;
    const { start, parameterLength } = SLICES[slice];
    this.#engine.load(this.#parameters.of(slice, name).subarray(0, parameterLength), start);
    this.#loaded[slice] = name;
  }

  #reserve(count: number): void {
    if (this.#labels.length >= count) return;
    this.#images = new Uint8Array(count * IMAGE_SIZE);
    this.#labels = new Uint8Array(count);
  }
}

/**
 * Images whose largest logit is the label's; the first of equal ones counts as the largest.
 * @param logits `[n][10]`
 */
export function countCorrect(logits: Float32Array, labels: Uint8Array): number {
  let correct = 0;
  for (const [i, label] of labels.entries()) {
    let best = 0;
    for (let k = 1; k < CLASS_COUNT; k++) {
      if (logits[i * CLASS_COUNT + k]! > logits[i * CLASS_COUNT + best]!) best = k;
    }
    if (best === label) correct += 1;
  }
  return correct;
}
