import type * as core from "@tensorflow/tfjs-core";
import { NORMALISED } from "../../../shared/data/preprocess.ts";
import {
  CLASS_COUNT,
  CONV1_CHANNELS,
  IMAGE_SIDE,
  PARAMETER_COUNT,
  STATISTIC_COUNT,
  tensor,
} from "../../../shared/model/lenet5.ts";
import { checkEvaluation, checkParameters, checkShard, notLoaded } from "../check-input.ts";
import type { Engine, EvaluationInput, Images, Logits, ShardGradient, ShardInput } from "../engine.ts";
import { crossEntropy, targetShares } from "../reference/loss.ts";
import { DEVICE_COUNT, toTableOrder } from "./device-layout.ts";
import { type UploadedParameters, uploadParameters } from "./device-parameters.ts";
import { foldNormalisation } from "./fold-normalisation.ts";
import type { Layers } from "./layers.ts";
import { type FoldedConvolution, type TrainingPass, evaluate, train } from "./network.ts";

/** A backend of TensorFlow.js, opened and ready. */
export interface TfjsRuntime {
  readonly name: "tensorflow" | "webgpu";
  readonly tf: typeof core;
  /** What TensorFlow.js calls it; another engine in the process may have made its own the current one. */
  readonly backend: string;
  readonly layers: Layers;
  readonly device: string;
  readonly runtime: string;
  /** Copies a tensor's values to the host. @throws when the device is lost */
  readonly read: (tensor: core.Tensor) => Float32Array | Promise<Float32Array>;
  readonly close: () => void | Promise<void>;
}

const CHANNEL_COUNT = STATISTIC_COUNT / 2;

/**
 * LeNet-5 on a backend of TensorFlow.js. A shard costs one upload of its images and one read, of everything that is
 * wanted of it; parameters are uploaded when they have changed.
 */
export class TfjsEngine implements Engine {
  readonly name;
  readonly device;
  readonly runtime;
  readonly #opened: TfjsRuntime;
  /** In table order, as loaded. */
  readonly #parameters = new Float32Array(PARAMETER_COUNT);
  readonly #gradient = new Float32Array(PARAMETER_COUNT);
  readonly #mean = new Float32Array(CHANNEL_COUNT);
  readonly #variance = new Float32Array(CHANNEL_COUNT);
  #uploaded: UploadedParameters | undefined;
  #loaded = false;

  constructor(runtime: TfjsRuntime) {
    this.#opened = runtime;
    this.name = runtime.name;
    this.device = runtime.device;
    this.runtime = runtime.runtime;
  }

  load(parameters: Float32Array, start?: number): void {
    checkParameters(parameters, start, this.#loaded);
    this.#parameters.set(parameters, start);
    this.#forgetUploaded();
    this.#loaded = true;
  }

  async gradients(shard: ShardInput): Promise<ShardGradient> {
    if (!this.#loaded) throw notLoaded();
    const count = checkShard(shard);
    const { tf, layers } = this.#opened;
    this.#makeCurrent();
    const uploaded = this.#upload();
    let factors: readonly number[] = [];
    const flat = tf.tidy(() => {
      const pass = train(tf, layers, uploaded, this.#imagesTensor(shard.images, count), targetsTensor(tf, shard));
      factors = [pass.bn1.varianceFactor, pass.bn2.varianceFactor];
      return flatten(tf, pass);
    });
    const values = await this.#take(flat);
    let end = DEVICE_COUNT;
    const next = (length: number): Float32Array => values.subarray(end, (end += length));
    toTableOrder(values, 1 / shard.globalCount, this.#gradient);
    this.#mean.set(next(CHANNEL_COUNT));
    this.#addConvolutionBiases();
    for (const [i, variance] of next(CHANNEL_COUNT).entries()) {
      this.#variance[i] = variance / factors[i < CONV1_CHANNELS ? 0 : 1]!;
    }
    const allocate = (length: number): Float32Array => new Float32Array(length);
    const { lossSum, correct } = crossEntropy(next(count * CLASS_COUNT), shard, allocate);
    return { gradient: this.#gradient, lossSum, correct, batchMean: this.#mean, batchVar: this.#variance };
  }

  async evaluate(batch: EvaluationInput): Promise<Logits> {
    if (!this.#loaded) throw notLoaded();
    const count = checkEvaluation(batch);
    const { tf } = this.#opened;
    this.#makeCurrent();
    const uploaded = this.#upload();
    const logits = tf.tidy(() => {
      const folded = [this.#fold(1, batch), this.#fold(2, batch)] as const;
      return evaluate(tf, uploaded, folded, this.#imagesTensor(batch.images, count));
    });
    return { logits: await this.#take(logits) };
  }

  async dispose(): Promise<void> {
    this.#forgetUploaded();
    this.#loaded = false;
    await this.#opened.close();
  }

  #makeCurrent(): void {
    const { tf, backend } = this.#opened;
    // At once: both backends are registered by the time they are opened.
    if (tf.getBackend() !== backend) void tf.setBackend(backend);
  }

  #upload(): UploadedParameters {
    this.#uploaded ??= uploadParameters(this.#opened.tf, this.#parameters);
    return this.#uploaded;
  }

  #forgetUploaded(): void {
    this.#uploaded?.dispose();
    this.#uploaded = undefined;
  }

  async #take(values: core.Tensor): Promise<Float32Array> {
    try {
      return await this.#opened.read(values);
    } finally {
      values.dispose();
    }
  }

  #imagesTensor(images: Images, count: number): core.Tensor4D {
    // A copy, since a tensor may keep the very array that it is made of.
    const pixels = images instanceof Float32Array ? images.slice() : normalise(images);
    return this.#opened.tf.tensor4d(pixels, [count, IMAGE_SIDE, IMAGE_SIDE, 1]);
  }

  #fold(layer: 1 | 2, { runningMean, runningVar }: EvaluationInput): FoldedConvolution {
    const { tf } = this.#opened;
    const [start, end] = layer === 1 ? [0, CONV1_CHANNELS] : [CONV1_CHANNELS, CHANNEL_COUNT];
    const [mean, variance] = [runningMean.subarray(start, end), runningVar.subarray(start, end)];
    return foldNormalisation(tf, this.#parameters, layer, mean, variance);
  }

  /** The network leaves the convolutions' biases out, which shift the mean and nothing else. */
  #addConvolutionBiases(): void {
    for (const [name, start] of [
      ["conv1.bias", 0],
      ["conv2.bias", CONV1_CHANNELS],
    ] as const) {
      const { offset, size } = tensor(name);
      for (let i = 0; i < size; i++) this.#mean[start + i] = this.#mean[start + i]! + this.#parameters[offset + i]!;
    }
  }
}

function normalise(bytes: Uint8Array): Float32Array {
  const pixels = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) pixels[i] = NORMALISED[bytes[i]!]!;
  return pixels;
}

/** What softmax is to be for each image, [n][10]. */
function targetsTensor(tf: typeof core, { labels, labelSmoothing = 0 }: ShardInput): core.Tensor2D {
  const { own, other } = targetShares(labelSmoothing);
  const values = new Float32Array(labels.length * CLASS_COUNT).fill(other);
  for (const [i, label] of labels.entries()) values[i * CLASS_COUNT + label] = own;
  return tf.tensor2d(values, [labels.length, CLASS_COUNT]);
}

/** Everything that is wanted of a shard, to be read at once: gradients in the device's order, means, variances, logits. */
function flatten(tf: typeof core, { gradients, logits, bn1, bn2 }: TrainingPass): core.Tensor1D {
  const { conv1, conv2, fc1, fc2, fc3 } = gradients;
  const inOrder = [conv1, ...gradients.bn1, conv2, ...gradients.bn2, ...fc1, ...fc2, ...fc3];
  const parts: core.Tensor[] = [...inOrder, bn1.mean, bn2.mean, bn1.variance, bn2.variance, logits];
  return tf.concat1d(parts.map((part) => (part.rank === 1 ? (part as core.Tensor1D) : tf.reshape(part, [-1]))));
}
