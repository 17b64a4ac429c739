import { expect, test } from "vitest";
import { channelsLastRows, convolutionKernel } from "../../../src/export/tfjs/layouts.ts";

test("a kernel's value for an output, an input, a row and a column is found at these, in TensorFlow.js' order", () => {
  const [outputs, inputs, height, width] = [4, 3, 2, 5] as const;
  const values = Float32Array.from({ length: outputs * inputs * height * width }, (_, i) => i);
  const kernel = convolutionKernel({ shape: [outputs, inputs, height, width], values });
  expect(kernel.shape).toEqual([height, width, inputs, outputs]);
  for (let [i, o] = [0, 0]; o < outputs; o++) {
    for (let c = 0; c < inputs; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          expect(kernel.values[((y * width + x) * inputs + c) * outputs + o]).toBe(i++);
        }
      }
    }
  }
});

test("a dense layer's inputs go from channel after channel to pixel after pixel", () => {
  // Two outputs of three channels with two pixels: the digits of a value are output, channel and pixel.
  const values = Float32Array.of(100, 101, 110, 111, 120, 121, 200, 201, 210, 211, 220, 221);
  const reordered = channelsLastRows({ shape: [2, 6], values }, 3);
  expect(reordered.shape).toEqual([2, 6]);
  expect([...reordered.values]).toEqual([100, 110, 120, 101, 111, 121, 200, 210, 220, 201, 211, 221]);
});
