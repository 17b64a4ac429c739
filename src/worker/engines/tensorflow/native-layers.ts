import type * as core from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";
import { BATCH_NORM_EPSILON } from "../../../shared/model/lenet5.ts";
import { composedLayers } from "../tfjs/composed-layers.ts";
import { type Layers, type Normalised, valuesPerChannel } from "../tfjs/layers.ts";
import type { NodeBackend, OpAttribute, TensorFlow } from "./node-backend.ts";

/**
 * The layers as TensorFlow's own operations: one where TensorFlow.js composes up to ten, several of which upload
 * constants as large as the activations.
 *
 * @param isGpu whether TensorFlow computes on a GPU, where batch normalisation is one operation
 */
export function nativeLayers(tf: TensorFlow, isGpu: boolean): Layers {
  const backend = tf.backend();
  const { TF_ATTR_BOOL, TF_ATTR_FLOAT, TF_ATTR_STRING, TF_ATTR_TYPE, TF_FLOAT } = backend.binding;
  const composed = composedLayers(tf as unknown as typeof core);
  const type = (name: string): OpAttribute => ({ name, type: TF_ATTR_TYPE, value: TF_FLOAT });
  const normalising: readonly OpAttribute[] = [
    type("T"),
    type("U"),
    { name: "epsilon", type: TF_ATTR_FLOAT, value: BATCH_NORM_EPSILON },
    { name: "data_format", type: TF_ATTR_STRING, value: "NHWC" },
    { name: "is_training", type: TF_ATTR_BOOL, value: true },
  ];
  const run = (...call: Parameters<NodeBackend["executeMultipleOutputs"]>): Tensor[] =>
    backend.executeMultipleOutputs(...call);
  const runOne = (name: string, attributes: OpAttribute[], inputs: Tensor[]): Tensor =>
    backend.executeSingleOutput(name, attributes, inputs);

  /**
   * With statistics of our own: TensorFlow's kernel for the CPU adds a channel's values up one after the other, which
   * costs it a digit at 32 images and two at 128. What its gradient wants reserved is, on a CPU, just these.
   */
  const normaliseOnCpu = (x: Tensor4D, gamma: Tensor1D, beta: Tensor1D): Normalised => {
    const normalised = composed.batchNorm(x, gamma, beta);
    return { ...normalised, reserved: [normalised.mean, normalised.variance, normalised.variance] };
  };

  return {
    batchNorm(x, gamma, beta) {
      if (!isGpu) return normaliseOnCpu(x, gamma, beta);
      // There are no running statistics to update here: the operation then wants them empty.
      const none = tf.tensor1d([], "float32");
      const outputs = run("FusedBatchNormV3", [...normalising], [x, gamma, beta, none, none], 6);
      const [y, mean, variance, ...reserved] = outputs as [Tensor4D, Tensor1D, Tensor1D, ...Tensor1D[]];
      const size = valuesPerChannel(x);
      return { y, mean, variance, varianceFactor: size / (size - 1), reserved };
    },

    batchNormGradient(dy, x, gamma, { reserved }) {
      const outputs = run("FusedBatchNormGradV3", [...normalising], [dy, x, gamma, ...reserved], 5);
      const [dx, dGamma, dBeta] = outputs as [Tensor4D, Tensor1D, Tensor1D];
      return { dx, dGamma, dBeta };
    },

    poolGradient: (dy, x, y) => composed.poolGradient(dy, x, y),

    reluGradient: <T extends Tensor2D | Tensor4D>(dy: T, y: T): T => runOne("ReluGrad", [type("T")], [dy, y]) as T,

    biasGradient(dy) {
      const attributes = [type("T"), { name: "data_format", type: TF_ATTR_STRING, value: "NHWC" }];
      return runOne("BiasAddGrad", attributes, [dy]) as Tensor1D;
    },

    crossEntropyGradient(logits, targets) {
      const outputs = run("SoftmaxCrossEntropyWithLogits", [type("T")], [logits, targets], 2);
      return outputs[1] as Tensor2D;
    },
  };
}
