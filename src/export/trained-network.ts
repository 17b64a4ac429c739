/** A trained LeNet-5 as a list of layers with their values: what every exported format is made from. */

import { type TensorSpec, tensor } from "../shared/model/lenet5.ts";
import type { Tensor } from "../shared/safetensors.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";

/** A convolution without padding, then batch normalisation unless it is folded, ReLU, and 2x2 max pooling. */
export interface ConvolutionBlock {
  readonly name: string;
  /** [outputs, inputs, 5, 5] */
  readonly weight: Tensor;
  /** [outputs] */
  readonly bias: Tensor;
  /** Absent where it is folded into weight and bias. */
  readonly norm?: BatchNorm;
}

export interface BatchNorm {
  readonly name: string;
  /** [channels], as the others. */
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

export interface DenseLayer {
  readonly name: string;
  /** [outputs, inputs]; the inputs of the first are the last block's outputs, channel after channel. */
  readonly weight: Tensor;
  /** [outputs] */
  readonly bias: Tensor;
  /** Whether ReLU follows; not after the last, whose outputs are the logits. */
  readonly hasRelu: boolean;
}

export interface TrainedNetwork {
  readonly blocks: readonly ConvolutionBlock[];
  readonly dense: readonly DenseLayer[];
}

/**
 * The layers of a trained network, in their order.
 *
 * @param state [STATE_COUNT] parameters, then running statistics, in table order
 * @param isFolded convolutions that do what batch normalisation did, which is gone then
 */
export function trainedNetwork(state: Float32Array, isFolded: boolean): TrainedNetwork {
  const valuesOf = (name: string): Tensor => tensorAt(state, tensor(name));
  const blocks = ["1", "2"].map((number): ConvolutionBlock => {
    const block = {
      name: `conv${number}`,
      weight: valuesOf(`conv${number}.weight`),
      bias: valuesOf(`conv${number}.bias`),
      norm: {
        name: `bn${number}`,
        scale: valuesOf(`bn${number}.weight`),
        shift: valuesOf(`bn${number}.bias`),
        mean: valuesOf(`bn${number}.running_mean`),
        variance: valuesOf(`bn${number}.running_var`),
      },
    };
    return isFolded ? foldBatchNorm(block) : block;
  });
  const dense = ["fc1", "fc2", "fc3"].map((name) => ({
    ...{ name, weight: valuesOf(`${name}.weight`), bias: valuesOf(`${name}.bias`), hasRelu: name !== "fc3" },
  }));
  return { blocks, dense };
}

/** All tensors under PyTorch's names, in PyTorch's order; running statistics last. */
export function namedTensors({ blocks, dense }: TrainedNetwork): ReadonlyMap<string, Tensor> {
  const named = new Map<string, Tensor>();
  for (const { name, weight, bias, norm } of blocks) {
    named.set(`${name}.weight`, weight).set(`${name}.bias`, bias);
    if (norm !== undefined) named.set(`${norm.name}.weight`, norm.scale).set(`${norm.name}.bias`, norm.shift);
  }
  for (const { name, weight, bias } of dense) named.set(`${name}.weight`, weight).set(`${name}.bias`, bias);
  for (const { norm } of blocks) {
    if (norm === undefined) continue;
    named.set(`${norm.name}.running_mean`, norm.mean).set(`${norm.name}.running_var`, norm.variance);
  }
  return named;
}

function tensorAt(state: Float32Array, { shape, offset, size }: TensorSpec): Tensor {
  return { shape, values: state.subarray(offset, offset + size) };
}
