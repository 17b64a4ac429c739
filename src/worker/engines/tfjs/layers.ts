import type { Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";

/**
 * The layers for which a runtime may have one native operation where TensorFlow.js composes several. Images are
 * `[n][height][width][channels]` throughout.
 */
export interface Layers {
  /** Batch normalisation with the batch's own statistics (Ioffe and Szegedy 2015). */
  batchNorm(x: Tensor4D, gamma: Tensor1D, beta: Tensor1D): Normalised;
  /** @param saved what `batchNorm` returned for the same x */
  batchNormGradient(dy: Tensor4D, x: Tensor4D, gamma: Tensor1D, saved: Normalised): NormalisedGradient;
  /** dy where y is above 0, and 0 elsewhere. @param y what ReLU returned */
  reluGradient<T extends Tensor2D | Tensor4D>(dy: T, y: T): T;
  /**
   * Of pooling over windows of 2 by 2 pixels: each window's dy to its largest pixel, the first of equal ones.
   * @param x what was pooled
   * @param y what pooling returned
   */
  poolGradient(dy: Tensor4D, x: Tensor4D, y: Tensor4D): Tensor4D;
  /** Sum over the images: [n][outputs] to [outputs]. */
  biasGradient(dy: Tensor2D): Tensor1D;
  /**
   * Gradient of the sum of the images' softmax cross-entropies: softmax(logits) - targets, [n][10].
   * @param targets what softmax is to be, [n][10]: of each image they sum to 1
   */
  crossEntropyGradient(logits: Tensor2D, targets: Tensor2D): Tensor2D;
}

export interface Normalised {
  readonly y: Tensor4D;
  /** [channels] */
  readonly mean: Tensor1D;
  /** [channels]: the biased variance times `varianceFactor`. */
  readonly variance: Tensor1D;
  /** 1, or m / (m - 1) for m values a channel where the runtime gives the unbiased variance. */
  readonly varianceFactor: number;
  /** What only the same runtime's gradient understands. */
  readonly reserved: readonly Tensor1D[];
}

export interface NormalisedGradient {
  readonly dx: Tensor4D;
  readonly dGamma: Tensor1D;
  readonly dBeta: Tensor1D;
}

/** Values in each channel. */
export function valuesPerChannel({ shape: [count, height, width] }: Tensor4D): number {
  return count * height * width;
}
