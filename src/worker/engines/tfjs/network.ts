import type * as core from "@tensorflow/tfjs-core";
import type { Layers, Normalised } from "./layers.ts";

/**
 * LeNet-5 in TensorFlow.js' operations, with the backward pass written out: no tape is kept, nothing is computed that is
 * not needed, and any backend that has the operations can run it.
 *
 * Two things differ from the textbook, to the same result. A convolution's bias is left out, since batch
 * normalisation removes it: its gradient is 0, and the batch mean is without it. And ReLU comes after pooling, which
 * selects the same pixels and leaves a quarter of them.
 */

type Tf = typeof core;

/** The model's parameters on the device, in the shapes of device-layout.ts. */
export interface DeviceParameters {
  readonly conv1: core.Tensor4D;
  readonly bn1: { readonly gamma: core.Tensor1D; readonly beta: core.Tensor1D };
  readonly conv2: core.Tensor4D;
  readonly bn2: { readonly gamma: core.Tensor1D; readonly beta: core.Tensor1D };
  readonly fc1: DenseParameters;
  readonly fc2: DenseParameters;
  readonly fc3: DenseParameters;
}

export interface DenseParameters {
  /** [outputs][inputs] */
  readonly weight: core.Tensor2D;
  /** [outputs] */
  readonly bias: core.Tensor1D;
}

/** Convolutions that batch normalisation with running statistics is folded into. */
export interface FoldedConvolution {
  readonly filter: core.Tensor4D;
  /** [channels] */
  readonly bias: core.Tensor1D;
}

export interface TrainingPass {
  /** Gradients in the parameters' shapes, of the sum (not mean) of the losses; all but the convolutions' biases. */
  readonly gradients: {
    readonly conv1: core.Tensor4D;
    readonly bn1: readonly [gamma: core.Tensor1D, beta: core.Tensor1D];
    readonly conv2: core.Tensor4D;
    readonly bn2: readonly [gamma: core.Tensor1D, beta: core.Tensor1D];
    readonly fc1: readonly [weight: core.Tensor2D, bias: core.Tensor1D];
    readonly fc2: readonly [weight: core.Tensor2D, bias: core.Tensor1D];
    readonly fc3: readonly [weight: core.Tensor2D, bias: core.Tensor1D];
  };
  /** [n][10] */
  readonly logits: core.Tensor2D;
  readonly bn1: Normalised;
  readonly bn2: Normalised;
}

const POOLED_INPUTS = 400;

/**
 * Forward and backward pass. To be called within `tf.tidy`.
 * @param images [n][32][32][1]
 * @param targets what softmax is to be, [n][10]
 */
export function train(
  tf: Tf,
  layers: Layers,
  parameters: DeviceParameters,
  images: core.Tensor4D,
  targets: core.Tensor2D,
): TrainingPass {
  const { conv1, bn1, conv2, bn2, fc1, fc2, fc3 } = parameters;
  const count = images.shape[0];

  const filtered1 = tf.conv2d(images, conv1, 1, "valid"); // [n][28][28][6]
  const normal1 = layers.batchNorm(filtered1, bn1.gamma, bn1.beta);
  const pool1 = tf.maxPool(normal1.y, 2, 2, "valid"); // [n][14][14][6]
  const relu1 = tf.relu(pool1);
  const filtered2 = tf.conv2d(relu1, conv2, 1, "valid"); // [n][10][10][16]
  const normal2 = layers.batchNorm(filtered2, bn2.gamma, bn2.beta);
  const pool2 = tf.maxPool(normal2.y, 2, 2, "valid"); // [n][5][5][16]
  const relu2 = tf.relu(pool2);
  const features = tf.reshape<core.Rank.R2>(relu2, [count, POOLED_INPUTS]);
  const hidden1 = tf.relu(dense(tf, features, fc1)); // [n][120]
  const hidden2 = tf.relu(dense(tf, hidden1, fc2)); // [n][84]
  const logits = dense(tf, hidden2, fc3); // [n][10]

  const inputGradient = (dy: core.Tensor2D, { weight }: DenseParameters): core.Tensor2D => tf.matMul(dy, weight);
  const dLogits = layers.crossEntropyGradient(logits, targets);
  const dHidden2 = layers.reluGradient(inputGradient(dLogits, fc3), hidden2);
  const dHidden1 = layers.reluGradient(inputGradient(dHidden2, fc2), hidden1);
  const dRelu2 = tf.reshape<core.Rank.R4>(inputGradient(dHidden1, fc1), relu2.shape);
  const dNormal2 = layers.poolGradient(layers.reluGradient(dRelu2, relu2), normal2.y, pool2);
  const { dx: dFiltered2, ...bn2Gradient } = layers.batchNormGradient(dNormal2, filtered2, bn2.gamma, normal2);
  const dRelu1 = convolutionInputGradient(tf, dFiltered2, conv2, relu1.shape);
  const dNormal1 = layers.poolGradient(layers.reluGradient(dRelu1, relu1), normal1.y, pool1);
  const { dx: dFiltered1, ...bn1Gradient } = layers.batchNormGradient(dNormal1, filtered1, bn1.gamma, normal1);

  const denseGradient = (dy: core.Tensor2D, x: core.Tensor2D) =>
    [tf.matMul<core.Tensor2D>(dy, x, true, false), layers.biasGradient(dy)] as const;
  const gradients = {
    conv1: convolutionWeightsGradient(tf, dFiltered1, images, conv1.shape),
    bn1: [bn1Gradient.dGamma, bn1Gradient.dBeta] as const,
    conv2: convolutionWeightsGradient(tf, dFiltered2, relu1, conv2.shape),
    bn2: [bn2Gradient.dGamma, bn2Gradient.dBeta] as const,
    fc1: denseGradient(dHidden1, features),
    fc2: denseGradient(dHidden2, hidden1),
    fc3: denseGradient(dLogits, hidden2),
  };
  return { gradients, logits, bn1: normal1, bn2: normal2 };
}

/**
 * Forward pass with running statistics. To be called within `tf.tidy`.
 * @param images [n][32][32][1]
 * @returns [n][10]
 */
export function evaluate(
  tf: Tf,
  { fc1, fc2, fc3 }: DeviceParameters,
  [conv1, conv2]: readonly [FoldedConvolution, FoldedConvolution],
  images: core.Tensor4D,
): core.Tensor2D {
  const convolve = (x: core.Tensor4D, { filter, bias }: FoldedConvolution): core.Tensor4D =>
    tf.relu(tf.maxPool(tf.add<core.Tensor4D>(tf.conv2d(x, filter, 1, "valid"), bias), 2, 2, "valid"));
  const pooled = convolve(convolve(images, conv1), conv2);
  const features = tf.reshape<core.Rank.R2>(pooled, [images.shape[0], POOLED_INPUTS]);
  return dense(tf, tf.relu(dense(tf, tf.relu(dense(tf, features, fc1)), fc2)), fc3);
}

function dense(tf: Tf, x: core.Tensor2D, { weight, bias }: DenseParameters): core.Tensor2D {
  return tf.add(tf.matMul(x, weight, false, true), bias);
}

const STRIDE_1 = { strides: 1, pad: "valid", dataFormat: "NHWC" } as const;

// TensorFlow.js has no public functions for these: its own gradients call the kernels by name as well.

function convolutionWeightsGradient(tf: Tf, dy: core.Tensor4D, x: core.Tensor4D, filterShape: readonly number[]) {
  return tf
    .engine()
    .runKernel<core.Tensor4D>("Conv2DBackpropFilter", { x, dy }, { ...STRIDE_1, filterShape: [...filterShape] });
}

function convolutionInputGradient(tf: Tf, dy: core.Tensor4D, filter: core.Tensor4D, inputShape: readonly number[]) {
  return tf
    .engine()
    .runKernel<core.Tensor4D>("Conv2DBackpropInput", { dy, filter }, { ...STRIDE_1, inputShape: [...inputShape] });
}
