import type * as core from "@tensorflow/tfjs-core";
import { BATCH_NORM_EPSILON } from "../../../shared/model/lenet5.ts";
import { type Layers, valuesPerChannel } from "./layers.ts";

type Tf = typeof core;

/** The layers out of TensorFlow.js' public operations, which every backend has. */
export function composedLayers(tf: Tf): Layers {
  return {
    batchNorm(x, gamma, beta) {
      const { mean, variance } = channelStatistics(tf, x);
      const y = tf.batchNorm4d(x, mean, variance, beta, gamma, BATCH_NORM_EPSILON);
      return { y, mean, variance, varianceFactor: 1, reserved: [] };
    },

    // dx = gamma / deviation * (dy - mean(dy) - normalised * mean(dy * normalised)): the appendix of the paper, rearranged.
    batchNormGradient(dy, x, gamma, { mean, variance }) {
      const inverse: core.Tensor1D = tf.rsqrt(tf.add(variance, BATCH_NORM_EPSILON));
      const normalised = tf.mul<core.Tensor4D>(tf.sub(x, mean), inverse);
      const dBeta = channelSums(tf, dy);
      const dGamma = channelSums(tf, tf.mul(dy, normalised));
      const size = valuesPerChannel(x);
      const centred = tf.sub(tf.sub(dy, tf.div(dBeta, size)), tf.mul(normalised, tf.div(dGamma, size)));
      return { dx: tf.mul(centred, tf.mul(gamma, inverse)), dGamma, dBeta };
    },

    // TensorFlow.js has no public function for it: its own gradients call the kernel by name as well.
    poolGradient: (dy, input, output) =>
      tf.engine().runKernel("MaxPoolGrad", { dy, input, output }, { filterSize: 2, strides: 2, pad: "valid" }),

    reluGradient: (dy, y) => tf.mul(dy, tf.step(y)),
    biasGradient: (dy) => tf.sum(dy, 0),
    crossEntropyGradient: (logits, targets) => tf.sub(tf.softmax(logits), targets),
  };
}

/** Mean and biased variance of each channel. */
function channelStatistics(tf: Tf, x: core.Tensor4D): { mean: core.Tensor1D; variance: core.Tensor1D } {
  const size = valuesPerChannel(x);
  const mean: core.Tensor1D = tf.div(channelSums(tf, x), size);
  const variance: core.Tensor1D = tf.div(channelSums(tf, tf.square(tf.sub(x, mean))), size);
  return { mean, variance };
}

/**
 * Image by image first: a backend may add up all that it is given one after the other, and a float32 sum of 100,000
 * values made so is wrong in the fourth digit, enough to turn a ReLU or a pooling the other way.
 */
function channelSums(tf: Tf, x: core.Tensor4D): core.Tensor1D {
  return tf.sum(tf.sum(x, [1, 2]), 0);
}
