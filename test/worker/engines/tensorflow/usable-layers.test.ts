import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { TensorFlow } from "../../../../src/worker/engines/tensorflow/node-backend.ts";
import { usableLayers } from "../../../../src/worker/engines/tensorflow/usable-layers.ts";
import { firstMaximumGradient } from "../../../../src/worker/engines/tensorflow/first-maximum-gradient.ts";
import { composedLayers } from "../../../../src/worker/engines/tfjs/composed-layers.ts";
import type { Layers } from "../../../../src/worker/engines/tfjs/layers.ts";

await import("@tensorflow/tfjs-backend-cpu");

const tensorFlow = tf as unknown as TensorFlow;
const composed = composedLayers(tf);

beforeAll(() => tf.setBackend("cpu"));

function replacedOf(changes: Partial<Layers>): readonly string[] {
  const native = { ...composed, ...changes };
  const { layers, replaced } = usableLayers(tensorFlow, native, composed);
  for (const name of Object.keys(native) as (keyof Layers)[]) {
    expect(layers[name]).toBe(replaced.includes(name) ? composed[name] : native[name]);
  }
  return replaced;
}

test("native layers that compute the same are used", () => {
  expect(replacedOf(composedLayers(tf))).toEqual([]);
});

test("one that refuses is replaced", () => {
  const refuse = (): never => {
    throw new Error("Deterministic GPU implementation of SoftmaxCrossEntropyWithLogits not available");
  };
  expect(replacedOf({ crossEntropyGradient: refuse })).toEqual(["crossEntropyGradient"]);
  expect(replacedOf({ biasGradient: refuse })).toEqual(["biasGradient"]);
});

test("one that computes something else is replaced, normalisation with its gradient", () => {
  expect(replacedOf({ reluGradient: (dy) => dy })).toEqual(["reluGradient"]);
  const unbiased: Layers["batchNorm"] = (x, gamma, beta) => {
    const normalised = composed.batchNorm(x, gamma, beta);
    return { ...normalised, variance: tf.mul(normalised.variance, 48 / 47) };
  };
  expect(replacedOf({ batchNorm: unbiased })).toEqual(["batchNorm", "batchNormGradient"]);
});

test("a loss that knows only whole labels, not smoothed ones, is replaced", () => {
  const whole: Layers["crossEntropyGradient"] = (logits, targets) =>
    composed.crossEntropyGradient(logits, tf.oneHot(tf.argMax(targets, 1), targets.shape[1]) as tf.Tensor2D);
  expect(replacedOf({ crossEntropyGradient: whole })).toEqual(["crossEntropyGradient"]);
});

test("pooling that gives the gradient to another of equal pixels is replaced", () => {
  const toLast: Layers["poolGradient"] = (dy, x, y) => {
    const flip = (image: tf.Tensor4D): tf.Tensor4D => tf.reverse(image, [1, 2]);
    return flip(composed.poolGradient(flip(dy), flip(x), flip(y)));
  };
  expect(replacedOf({ poolGradient: toLast })).toEqual(["poolGradient"]);
  expect(replacedOf({ poolGradient: firstMaximumGradient(tf) })).toEqual([]);
});

test("where memory is out nothing is tried in its place", () => {
  const full = (): never => {
    throw new Error("OOM when allocating tensor with shape[3,4]");
  };
  expect(() => replacedOf({ biasGradient: full })).toThrow("OOM when allocating");
});

test("one whose result is not finite is replaced", () => {
  expect(replacedOf({ biasGradient: (dy) => tf.div(tf.sum(dy, 0), 0) })).toEqual(["biasGradient"]);
  expect(replacedOf({ biasGradient: (dy) => tf.mul(tf.sum(dy, 0), NaN) })).toEqual(["biasGradient"]);
});

test("trying leaves no tensor behind", () => {
  const before = tf.memory().numTensors;
  replacedOf({ reluGradient: (dy) => dy });
  expect(tf.memory().numTensors).toBe(before);
});
