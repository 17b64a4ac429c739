import { describe, expect, test } from "vitest";
import { PARAMETERS } from "../../../../src/shared/model/lenet5.ts";
import { maxPool, maxPoolGradient, reluGradient } from "../../../../src/worker/engines/reference/activations.ts";
import { crossEntropy } from "../../../../src/worker/engines/reference/loss.ts";
import { backward, forward } from "../../../../src/worker/engines/reference/network.ts";
import { makeCase } from "../../../golden/golden.ts";

const float64 = (length: number): Float64Array => new Float64Array(length);

describe.each([0, 0.1])(
  "with label smoothing %f the float64 gradient is the loss's central differences",
  (smoothing) => {
    const COUNT = 2;
    /** Small enough that hardly a ReLU or pooling winner changes, large enough that the loss's rounding stays below. */
    const STEP = 1e-6;
    const { parameters: parameters32, shard } = makeCase(20, COUNT);
    const parameters = Float64Array.from(parameters32);
    const images = Float64Array.from(shard.images);

    const target = { ...shard, labelSmoothing: smoothing };

    const lossOf = (): number => {
      const { logits } = forward(parameters, images, COUNT, float64);
      return crossEntropy(logits, target, float64).lossSum / COUNT;
    };
    const activations = forward(parameters, images, COUNT, float64);
    const { dLogits } = crossEntropy(activations.logits, target, float64);
    const gradient = backward(parameters, activations, dLogits, COUNT, float64);

    test.each(PARAMETERS)("$name", ({ offset, size }) => {
      const whole = gradient.subarray(offset, offset + size);
      const scale = Math.max(...whole.map(Math.abs), 1e-3);
      for (let probe = 0; probe < 8; probe++) {
        const i = offset + Math.floor((probe * size) / 8);
        const value = parameters[i]!;
        parameters[i] = value + STEP;
        const above = lossOf();
        parameters[i] = value - STEP;
        const below = lossOf();
        parameters[i] = value;
        expect(Math.abs((above - below) / (2 * STEP) - gradient[i]!)).toBeLessThan(1e-6 * scale);
      }
    });
  },
);

test("max-pooling takes the first of equal values and sends the gradient there", () => {
  const x = Float64Array.from([2, 2, 1, 3, 2, 2, 3, 0, 0, 0, 5, 5, 0, 0, 5, 5]);
  const { y, winners } = maxPool(x, 4, float64);
  expect([...y]).toEqual([2, 3, 0, 5]);
  expect([...winners]).toEqual([0, 3, 8, 10]);
  const dx = maxPoolGradient(Float64Array.from([1, 2, 3, 4]), winners, 16, float64);
  expect([...dx]).toEqual([1, 0, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0]);
});

test("the gradient of the ReLU at exactly 0 is 0", () => {
  const output = Float64Array.from([0, 0.5, 0]);
  expect([...reluGradient(Float64Array.from([7, 8, 9]), output, float64)]).toEqual([0, 8, 0]);
});
