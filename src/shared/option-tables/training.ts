/** Options that decide what is trained, on which data, and what is kept of it on the way. */

import { decimal, fraction, integer, oneOf, positiveNumber, text, toggle } from "../config-values.ts";

export const training = {
  recipe: oneOf(["seed", "fast", "best"])
    .default("seed")
    .describe("settings measured together; other options override them"),
  epochs: integer(1, 10_000).default(10).describe("passes over the training set"),
  batchSize: integer(1, 65_536).default(64).describe("samples in a step, over all workers together"),
  shardSize: integer(1, 4096).default(32).describe("samples in a unit of work, which has its own BatchNorm statistics"),
  lr: positiveNumber(10).default(0.001).describe("Adam's learning rate, the peak of the schedule"),
  schedule: oneOf(["constant", "cosine", "one-cycle"])
    .default("constant")
    .describe("how the learning rate changes over the run"),
  warmupEpochs: decimal(0, 10_000)
    .exactOptional()
    .describe("epochs in which the learning rate rises to --lr; none if not given, with one-cycle 15 % of the run"),
  weightDecay: decimal(0, 1)
    .default(0)
    .describe("decay of the weights, not of biases and BatchNorm, apart from the gradient, as AdamW's"),
  labelSmoothing: fraction()
    .default(0)
    .describe("how much of each label is spread evenly over all classes, in the loss that is trained"),
  accumulate: integer(1, 65_536)
    .default(1)
    .describe("batches whose gradients make one step: the same as a --batch-size so many times as large"),
  ema: fraction()
    .default(0.998)
    .describe("how much of the weights' running average a step keeps; the average is what is tested and saved"),
  augment: toggle().default(false).describe("distort the training images at random; part of recipe best"),
  clipNorm: positiveNumber(1_000_000)
    .exactOptional()
    .describe("scale gradients whose norm over all weights is larger down to it; not clipped if not given"),
  validation: integer(0, 1_000_000_000)
    .default(0)
    .describe(
      "training images to hold out, chosen by the seed; the best epoch is then the one with the fewest errors there",
    ),
  patience: integer(1, 10_000)
    .exactOptional()
    .describe("end the run after so many epochs without fewer errors on the --validation images"),
  seed: integer(0, Number.MAX_SAFE_INTEGER).default(1).describe("decides initial weights, order and distortion"),
};

export const data = {
  data: text("DIR", "a folder with the four MNIST IDX files")
    .exactOptional()
    .describe("folder with the MNIST IDX files, instead of the copy that is installed"),
};

export const trainingData = {
  ...data,
  limitTrain: integer(1, 1_000_000_000).exactOptional().describe("use only the first N training images"),
};

export const limits = {
  maxMinutes: positiveNumber(100_000)
    .exactOptional()
    .describe(
      "end the run after so many minutes, with an evaluation, if workers are there, and a checkpoint to --resume from",
    ),
};

export const checkpoints = {
  resume: toggle()
    .default(false)
    .describe("go on with the run in --run-dir, or the newest in runs/, from its last checkpoint, with its options"),
  checkpointEvery: integer(0, 1_000_000_000, "STEPS")
    .default(0)
    .describe("steps between two checkpoints, besides one after each epoch; 0: only those"),
  keepCheckpoints: integer(1, 1_000_000, "K").default(3).describe("newest checkpoints to keep, besides the best one"),
};
