import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine, ShardGradient } from "../../../../src/worker/engines/engine.ts";
import { ReferenceEngine } from "../../../../src/worker/engines/reference/reference-engine.ts";
import { composedLayers } from "../../../../src/worker/engines/tfjs/composed-layers.ts";
import { TfjsEngine } from "../../../../src/worker/engines/tfjs/tfjs-engine.ts";
import { worstDifference } from "../../../../src/worker/engines/worst-difference.ts";
import { readGolden } from "../../../golden/golden.ts";

await import("@tensorflow/tfjs-backend-cpu");

/**
 * The model code that the tensorflow and webgpu engines share, on TensorFlow.js' portable backend, which is too slow for
 * the whole compliance suite.
 */

let closed = 0;

async function openOnCpu(): Promise<TfjsEngine> {
  await tf.setBackend("cpu");
  return new TfjsEngine({
    name: "webgpu",
    ...{ tf, backend: "cpu", layers: composedLayers(tf), device: "cpu", runtime: "TensorFlow.js" },
    read: (tensor) => tensor.data<"float32">(),
    close: () => {
      closed += 1;
    },
  });
}

// "ties": all of a filter's pooling windows tie, and some gammas are negative. "smoothed": so are the labels.
describe.each(["batch-1", "ties", "smoothed"] as const)("on %s", (name) => {
  const golden = readGolden(name);
  let engine: Engine;
  let expected: ShardGradient;
  let found: ShardGradient;

  beforeAll(async () => {
    const reference = new ReferenceEngine();
    reference.load(golden.parameters);
    expected = reference.gradients(golden.shard) as ShardGradient;
    engine = await openOnCpu();
    engine.load(golden.parameters);
    found = await engine.gradients(golden.shard);
  });

  test("the gradient is the reference's", () => {
    expect(worstDifference(expected.gradient, found.gradient).relative).toBeLessThan(1e-4);
  });

  test("so are loss, correct count and batch statistics", () => {
    expect(found.lossSum).toBeCloseTo(expected.lossSum, 4);
    expect(found.correct).toBe(expected.correct);
    for (const [i, mean] of expected.batchMean.entries()) expect(found.batchMean[i]).toBeCloseTo(mean, 5);
    for (const [i, variance] of expected.batchVar.entries()) expect(found.batchVar[i]).toBeCloseTo(variance, 5);
  });

  test("so are the logits with running statistics", async () => {
    const { logits } = await engine.evaluate(golden.evaluation);
    for (const [i, logit] of golden.evaluatedLogits.entries()) expect(logits[i]).toBeCloseTo(logit, 4);
  });
});

test("no tensor outlives its engine, whatever it did", async () => {
  const { parameters, shard, evaluation } = readGolden("batch-1");
  const engine = await openOnCpu();
  const before = tf.memory().numTensors;
  engine.load(parameters);
  await engine.gradients(shard);
  const afterOne = tf.memory().numTensors;
  for (let step = 0; step < 5; step++) {
    engine.load(parameters);
    await engine.gradients(shard);
    await engine.evaluate(evaluation);
    await expect(engine.gradients({ ...shard, globalCount: 0 })).rejects.toThrow(/globalCount is 0/);
  }
  expect(tf.memory().numTensors).toBe(afterOne);
  expect(afterOne).toBeGreaterThan(before);
  await engine.dispose();
  expect(tf.memory().numTensors).toBe(before);
  expect(closed).toBe(1);
});

test("what the device cannot deliver fails the call, and no tensor is left", async () => {
  const { parameters, shard } = readGolden("batch-1");
  await tf.setBackend("cpu");
  const lost = new Error("the device is lost");
  const engine = new TfjsEngine({
    name: "webgpu",
    ...{ tf, backend: "cpu", layers: composedLayers(tf), device: "cpu", runtime: "TensorFlow.js" },
    read: () => Promise.reject(lost),
    close: () => {},
  });
  engine.load(parameters);
  await expect(engine.gradients(shard)).rejects.toBe(lost);
  const afterOne = tf.memory().numTensors;
  await expect(engine.gradients(shard)).rejects.toBe(lost);
  expect(tf.memory().numTensors).toBe(afterOne);
});
