/**
 * The same network, loss and optimizer in TensorFlow.js with its plain JavaScript backend, as a peer for the bench.
 *
 * Prints "ready <version>" once, then for each line "training <batch> <steps>" on standard input the seconds that so many
 * training steps took.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs-core";

// Both register themselves globally. The package's entry for Node.js leaves the gradients out.
await import("@tensorflow/tfjs-backend-cpu");
createRequire(import.meta.url)("@tensorflow/tfjs-core/dist/register_all_gradients");
await tf.setBackend("cpu");

const uniform = (shape: number[], fanIn: number) => {
  const limit = 1 / Math.sqrt(fanIn);
  return tf.variable(tf.randomUniform(shape, -limit, limit, "float32", 1));
};
const convolution = (inputs: number, outputs: number) => ({
  kernel: uniform([5, 5, inputs, outputs], 25 * inputs) as tf.Tensor4D,
  bias: uniform([outputs], 25 * inputs),
  gamma: tf.variable(tf.ones([outputs])),
  beta: tf.variable(tf.zeros([outputs])),
});
const dense = (inputs: number, outputs: number) => ({
  weight: uniform([inputs, outputs], inputs),
  bias: uniform([outputs], inputs),
});
const convolutions = [convolution(1, 6), convolution(6, 16)];
const layers = [dense(400, 120), dense(120, 84), dense(84, 10)];

/** @param images `[n][32][32][1]` @returns logits `[n][10]` */
function network(images: tf.Tensor4D): tf.Tensor {
  let activations = images;
  for (const { kernel, bias, gamma, beta } of convolutions) {
    const sums = tf.add<tf.Tensor4D>(tf.conv2d(activations, kernel, 1, "valid"), bias);
    const { mean, variance } = tf.moments(sums, [0, 1, 2]);
    const normalised = tf.batchNorm(
      sums,
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      beta as tf.Tensor1D,
      gamma as tf.Tensor1D,
      1e-5,
    );
    activations = tf.maxPool(tf.relu(normalised), 2, 2, "valid");
  }
  let hidden: tf.Tensor = tf.reshape(activations, [-1, 400]);
  for (const [i, { weight, bias }] of layers.entries()) {
    const sums = tf.add(tf.matMul(hidden, weight), bias);
    hidden = i < layers.length - 1 ? tf.relu(sums) : sums;
  }
  return hidden;
}

const optimizer = tf.train.adam(0.001);
console.log("ready", tf.version_core);
for await (const line of createInterface({ input: process.stdin })) {
  const [batchSize = 0, steps = 0] = line.split(" ").slice(1).map(Number);
  const images = tf.randomNormal<tf.Rank.R4>([batchSize, 32, 32, 1], 0, 1, "float32", 1);
  const labels = tf.oneHot(tf.randomUniform([batchSize], 0, 10, "int32", 1), 10);
  const startedAt = performance.now();
  for (let step = 0; step < steps; step++) {
    optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, network(images)));
  }
  console.log((performance.now() - startedAt) / 1000);
  tf.dispose([images, labels]);
}
