import type * as core from "@tensorflow/tfjs-core";
import { BATCH_NORM_EPSILON, tensor } from "../../../shared/model/lenet5.ts";
import { DEVICE_TENSORS, toDeviceOrder } from "./device-layout.ts";
import type { FoldedConvolution } from "./network.ts";

/**
 * Folds batch normalisation with running statistics into the convolution before it, bias included: both are linear. To
 * be called within `tf.tidy`.
 *
 * @param parameters `[61_750]` in table order
 * @param mean running mean of each of the layer's channels
 * @param variance running variance of the same
 */
export function foldNormalisation(
  tf: typeof core,
  parameters: Float32Array,
  layer: 1 | 2,
  mean: Float32Array,
  variance: Float32Array,
): FoldedConvolution {
  const part = (name: string): Float32Array => {
    const { offset, size } = tensor(name);
    return parameters.subarray(offset, offset + size);
  };
  const [convBias, gamma, beta] = [part(`conv${layer}.bias`), part(`bn${layer}.weight`), part(`bn${layer}.bias`)];
  const scale = gamma.map((value, channel) => value / Math.sqrt(variance[channel]! + BATCH_NORM_EPSILON));
  const bias = scale.map((value, channel) => beta[channel]! + (convBias[channel]! - mean[channel]!) * value);
  const { shape, offset, size } = DEVICE_TENSORS.find(({ name }) => name === `conv${layer}.weight`)!;
  // Its last dimension are the output channels.
  const filter = toDeviceOrder(parameters)
    .slice(offset, offset + size)
    .map((weight, i) => weight * scale[i % scale.length]!);
  return {
    filter: tf.tensor<core.Rank.R4>(filter, shape as [number, number, number, number]),
    bias: tf.tensor1d(bias),
  };
}
