import { BATCH_NORM_EPSILON } from "../shared/model/lenet5.ts";
import type { BatchNorm, ConvolutionBlock } from "./trained-network.ts";

/**
 * The same block without batch normalisation. With running statistics that is a factor and a summand for each channel,
 * `scale (x - mean) / sqrt(variance + epsilon) + shift`, which the convolution can do at no cost.
 *
 * Computed in float64 and rounded once: outputs differ from the block's by rounding.
 */
export function foldBatchNorm(block: ConvolutionBlock & { readonly norm: BatchNorm }): ConvolutionBlock {
  const { name, weight, bias, norm } = block;
  const channels = bias.values.length;
  const perChannel = weight.values.length / channels;
  const factors = Array.from({ length: channels }, (_, channel) => {
    return norm.scale.values[channel]! / Math.sqrt(norm.variance.values[channel]! + BATCH_NORM_EPSILON);
  });
  return {
    name,
    weight: {
      shape: weight.shape,
      values: weight.values.map((value, i) => value * factors[Math.floor(i / perChannel)]!),
    },
    bias: {
      shape: bias.shape,
      values: bias.values.map(
        (value, channel) => (value - norm.mean.values[channel]!) * factors[channel]! + norm.shift.values[channel]!,
      ),
    },
  };
}
