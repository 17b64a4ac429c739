/** From PyTorch's order of values to TensorFlow.js', where an image's channels come last. */

import type { Tensor } from "../../shared/safetensors.ts";

/** A convolution's kernel: [outputs, inputs, height, width] to [height, width, inputs, outputs]. */
export function convolutionKernel({ shape, values }: Tensor): Tensor {
  const [outputs = 0, inputs = 0, height = 0, width = 0] = shape;
  const kernel = new Float32Array(values.length);
  const pixels = height * width;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        kernel[(pixel * inputs + input) * outputs + output] = values[(output * inputs + input) * pixels + pixel]!;
      }
    }
  }
  return { shape: [height, width, inputs, outputs], values: kernel };
}

/**
 * The weight of a dense layer whose inputs are an image's values: [outputs, channels * pixels] to
 * [outputs, pixels * channels].
 */
export function channelsLastRows({ shape, values }: Tensor, channels: number): Tensor {
  const [outputs = 0, inputs = 0] = shape;
  const pixels = inputs / channels;
  const reordered = new Float32Array(values.length);
  for (let output = 0; output < outputs; output++) {
    const row = output * inputs;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        reordered[row + pixel * channels + channel] = values[row + channel * pixels + pixel]!;
      }
    }
  }
  return { shape, values: reordered };
}
