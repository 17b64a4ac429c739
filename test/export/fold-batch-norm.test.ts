import fc from "fast-check";
import { expect, test } from "vitest";
import { foldBatchNorm } from "../../src/export/fold-batch-norm.ts";
import type { BatchNorm, ConvolutionBlock } from "../../src/export/trained-network.ts";
import { BATCH_NORM_EPSILON } from "../../src/shared/model/lenet5.ts";

const CHANNELS = 3;
const INPUTS = 4;

const values = (length: number, min = -2) =>
  fc
    .array(fc.float({ min, max: 2, noNaN: true }), { minLength: length, maxLength: length })
    .map((list) => Float32Array.from(list));

test("a folded block gives a patch of an image what the convolution and batch normalisation give it", () => {
  const parts = fc.record({
    ...{ weight: values(CHANNELS * INPUTS), bias: values(CHANNELS), patch: values(INPUTS) },
    ...{ scale: values(CHANNELS), shift: values(CHANNELS), mean: values(CHANNELS), variance: values(CHANNELS, 0) },
  });
  fc.assert(
    fc.property(parts, ({ weight, bias, patch, scale, shift, mean, variance }) => {
      const perChannel = (list: Float32Array) => ({ shape: [CHANNELS], values: list });
      const block: ConvolutionBlock & { norm: BatchNorm } = {
        name: "conv1",
        weight: { shape: [CHANNELS, 1, 2, 2], values: weight },
        bias: perChannel(bias),
        norm: {
          ...{ name: "bn1", scale: perChannel(scale), shift: perChannel(shift) },
          ...{ mean: perChannel(mean), variance: perChannel(variance) },
        },
      };
      const folded = foldBatchNorm(block);
      expect(folded.norm).toBeUndefined();
      for (let channel = 0; channel < CHANNELS; channel++) {
        const factor = scale[channel]! / Math.sqrt(variance[channel]! + BATCH_NORM_EPSILON);
        const normed = (convolve(block, patch, channel) - mean[channel]!) * factor + shift[channel]!;
        // Rounding, of values as large as the factor makes them: with a variance of 0 it is up to 632.
        const rounding = 1e-5 * (1 + Math.abs(factor));
        expect(Math.abs(convolve(folded, patch, channel) - normed)).toBeLessThan(rounding);
      }
    }),
  );
});

function convolve({ weight, bias }: ConvolutionBlock, patch: Float32Array, channel: number): number {
  return patch.reduce((sum, value, i) => sum + value * weight.values[channel * INPUTS + i]!, bias.values[channel]!);
}
