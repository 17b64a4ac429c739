import {
  BATCH_NORM_EPSILON,
  CONV1_CHANNELS,
  CONV2_CHANNELS,
  IMAGE_SIZE,
  tensor,
} from "../../../shared/model/lenet5.ts";
import type { Address, Lenet5Kernels } from "./kernel-exports.ts";
import type { ModelLayout, ShardLayout } from "./memory-layout.ts";

/** The network's forward and backward pass, as a sequence of kernels over groups of four images. */

export interface Network {
  readonly kernels: Lenet5Kernels;
  readonly model: ModelLayout;
  readonly shard: ShardLayout;
}

/** Equals no tap's number, so that the branches of the scheduling pins are never taken (see kernels/codegen.ts). */
const PIN = 1_000_000;

/** Values of one channel in one image, before pooling and after. */
const CONV1_SIDE = 28;
const CONV2_SIDE = 10;
const POOLED1_POSITIONS = 196;
const POOLED2_POSITIONS = 25;

/** Bytes of one group of four images. */
const INPUT_BYTES = IMAGE_SIZE * 16;
const CONV1_BYTES = CONV1_CHANNELS * CONV1_SIDE ** 2 * 16;
const POOLED1_BYTES = CONV1_CHANNELS * POOLED1_POSITIONS * 16;
const CONV2_BYTES = CONV2_CHANNELS * CONV2_SIDE ** 2 * 16;
const POOLED2_BYTES = CONV2_CHANNELS * POOLED2_POSITIONS * 16;
const MOMENTS1_BYTES = CONV1_CHANNELS * 8;
const MOMENTS2_BYTES = CONV2_CHANNELS * 8;
const HIDDEN1 = 120;
const HIDDEN2 = 84;
const HIDDEN1_BYTES = HIDDEN1 * 16;
const HIDDEN2_BYTES = HIDDEN2 * 16;
const LOGITS_BYTES = 10 * 16;

/** Bytes from the start of the parameters, or of the gradient. */
const at = (name: string): number => tensor(name).offset * 4;
const OFFSETS = {
  conv1: { weight: at("conv1.weight"), bias: at("conv1.bias") },
  bn1: { gamma: at("bn1.weight"), beta: at("bn1.bias") },
  conv2: { weight: at("conv2.weight"), bias: at("conv2.bias") },
  bn2: { gamma: at("bn2.weight"), beta: at("bn2.bias") },
  fc1: { weight: at("fc1.weight"), bias: at("fc1.bias") },
  fc2: { weight: at("fc2.weight"), bias: at("fc2.bias") },
  fc3: { weight: at("fc3.weight"), bias: at("fc3.bias") },
} as const;
/** bn2's channels follow bn1's in the model's means and variances. */
const BN2_OFFSET = CONV1_CHANNELS * 4;

export const groupsOf = (count: number): number => Math.ceil(count / 4);
/** Groups with the pad group that an odd number gets: the dense kernels take two at a time. */
export const pairedGroups = (count: number): number => Math.ceil(count / 8) * 2;
/** Images in a group, which is 4 but for the last one. */
const lanesOf = (group: number, count: number): number => Math.min(4, count - group * 4);

/**
 * Logits of `count` images that lie at `shard.images`, the unused lanes of the last group zeroed.
 *
 * With "batch" statistics their mean and variance are computed on the way. With "running" ones they have been folded
 * already, and no image's result depends on another's.
 */
export function forward(network: Network, count: number, statistics: "batch" | "running"): void {
  const { kernels, model, shard } = network;
  const groups = groupsOf(count);
  const training = statistics === "batch";
  const parameters = model.parameters;

  for (let g = 0; g < groups; g++) {
    const input = shard.input + g * INPUT_BYTES;
    kernels.interleave(shard.images + g * INPUT_BYTES, input, IMAGE_SIZE);
    kernels.conv1Forward(
      input,
      parameters + OFFSETS.conv1.weight,
      parameters + OFFSETS.conv1.bias,
      shard.conv1 + g * CONV1_BYTES,
      training ? shard.moments1 + g * MOMENTS1_BYTES : 0,
      lanesOf(g, count),
      PIN,
    );
  }
  if (training) {
    kernels.mergeMoments(shard.moments1, count, CONV1_CHANNELS, CONV1_SIDE ** 2, model.mean, model.variance);
    foldFirst(network);
  }
  for (let g = 0; g < groups; g++) {
    const pooled = shard.pooled1 + g * POOLED1_BYTES;
    kernels.normalizeAndPool(
      shard.conv1 + g * CONV1_BYTES,
      model.bn1.scale,
      model.bn1.shift,
      pooled,
      shard.winners1 + g * POOLED1_BYTES,
      CONV1_CHANNELS,
      CONV1_SIDE,
    );
    kernels.conv2Forward(
      pooled,
      parameters + OFFSETS.conv2.weight,
      parameters + OFFSETS.conv2.bias,
      shard.conv2 + g * CONV2_BYTES,
      training ? shard.moments2 + g * MOMENTS2_BYTES : 0,
      lanesOf(g, count),
      PIN,
    );
  }
  if (training) {
    const mean = model.mean + BN2_OFFSET;
    const variance = model.variance + BN2_OFFSET;
    kernels.mergeMoments(shard.moments2, count, CONV2_CHANNELS, CONV2_SIDE ** 2, mean, variance);
    foldSecond(network);
  }
  for (let g = 0; g < groups; g++) {
    kernels.normalizeAndPool(
      shard.conv2 + g * CONV2_BYTES,
      model.bn2.scale,
      model.bn2.shift,
      shard.pooled2 + g * POOLED2_BYTES,
      shard.winners2 + g * POOLED2_BYTES,
      CONV2_CHANNELS,
      CONV2_SIDE,
    );
  }
  // The pad group's values do not matter as long as they are finite: its gradient is 0, and 0 times anything finite is 0.
  if (groups % 2 === 1) kernels.clear(shard.pooled2 + groups * POOLED2_BYTES, POOLED2_BYTES);
  denseForward(network, count);
}

/** Makes scale and shift of both normalisations from the means and variances at `model.mean` and `model.variance`. */
export function foldRunningStatistics(network: Network): void {
  foldFirst(network);
  foldSecond(network);
}

function foldFirst({ kernels, model }: Network): void {
  kernels.foldNormalization(
    model.mean,
    model.variance,
    model.parameters + OFFSETS.bn1.gamma,
    model.parameters + OFFSETS.bn1.beta,
    CONV1_CHANNELS,
    BATCH_NORM_EPSILON,
    model.bn1.scale,
    model.bn1.shift,
  );
}

function foldSecond({ kernels, model }: Network): void {
  kernels.foldNormalization(
    model.mean + BN2_OFFSET,
    model.variance + BN2_OFFSET,
    model.parameters + OFFSETS.bn2.gamma,
    model.parameters + OFFSETS.bn2.beta,
    CONV2_CHANNELS,
    BATCH_NORM_EPSILON,
    model.bn2.scale,
    model.bn2.shift,
  );
}

function denseForward({ kernels, model: { parameters }, shard }: Network, count: number): void {
  const fc1 = { w: parameters + OFFSETS.fc1.weight, b: parameters + OFFSETS.fc1.bias };
  const fc2 = { w: parameters + OFFSETS.fc2.weight, b: parameters + OFFSETS.fc2.bias };
  const fc3 = { w: parameters + OFFSETS.fc3.weight, b: parameters + OFFSETS.fc3.bias };
  const groups = pairedGroups(count);
  // fc1's weights alone (192 KB) fill the second-level cache: it goes over all groups before the others begin.
  for (let g = 0; g < groups; g += 2) {
    kernels.fc1Forward(shard.pooled2 + g * POOLED2_BYTES, fc1.w, fc1.b, shard.hidden1 + g * HIDDEN1_BYTES, PIN);
  }
  for (let g = 0; g < groups; g += 2) {
    const hidden2 = shard.hidden2 + g * HIDDEN2_BYTES;
    kernels.fc2Forward(shard.hidden1 + g * HIDDEN1_BYTES, fc2.w, fc2.b, hidden2, PIN);
    kernels.fc3Forward(hidden2, fc3.w, fc3.b, shard.logits + g * LOGITS_BYTES, PIN);
  }
}

/** Loss, and its gradient with respect to the logits. Reads the labels at `shard.labels`, writes `model.summary`. */
export function loss({ kernels, model, shard }: Network, count: number, globalCount: number): void {
  kernels.softmaxCrossEntropy(
    shard.logits,
    shard.labels,
    shard.dLogits,
    pairedGroups(count),
    count,
    globalCount,
    model.summary,
  );
}

/** Backward through the dense layers: their part of the gradient, and `shard.dPooled2`. */
export function denseBackward({ kernels, model, shard }: Network, count: number): void {
  const { parameters, gradient } = model;
  for (let g = 0; g < pairedGroups(count); g += 2) {
    const hidden1 = shard.hidden1 + g * HIDDEN1_BYTES;
    const hidden2 = shard.hidden2 + g * HIDDEN2_BYTES;
    const dHidden1 = shard.dHidden1 + g * HIDDEN1_BYTES;
    const dHidden2 = shard.dHidden2 + g * HIDDEN2_BYTES;
    const dLogits = shard.dLogits + g * LOGITS_BYTES;
    kernels.fc3InputGradient(dLogits, parameters + OFFSETS.fc3.weight, hidden2, dHidden2, PIN);
    kernels.fc2InputGradient(dHidden2, parameters + OFFSETS.fc2.weight, hidden1, dHidden1, PIN);
  }
  for (let g = 0; g < pairedGroups(count); g += 2) {
    const dPooled2 = shard.dPooled2 + g * POOLED2_BYTES;
    kernels.fc1InputGradient(shard.dHidden1 + g * HIDDEN1_BYTES, parameters + OFFSETS.fc1.weight, dPooled2, PIN);
  }

  const groups = groupsOf(count);
  for (let g = 0; g < groups; g++) {
    kernels.separate(shard.pooled2 + g * POOLED2_BYTES, shard.pooled2ByImage + g * POOLED2_BYTES, 400);
    kernels.separate(shard.hidden1 + g * HIDDEN1_BYTES, shard.hidden1ByImage + g * HIDDEN1_BYTES, HIDDEN1);
    kernels.separate(shard.hidden2 + g * HIDDEN2_BYTES, shard.hidden2ByImage + g * HIDDEN2_BYTES, HIDDEN2);
  }
  const weightsGradient = (
    kernel: Lenet5Kernels["fc1WeightsGradient"],
    x: Address,
    dy: Address,
    offsets: { readonly weight: number; readonly bias: number },
  ): void => kernel(x, dy, gradient + offsets.weight, gradient + offsets.bias, groups, PIN);
  weightsGradient(kernels.fc3WeightsGradient, shard.hidden2ByImage, shard.dLogits, OFFSETS.fc3);
  weightsGradient(kernels.fc2WeightsGradient, shard.hidden1ByImage, shard.dHidden2, OFFSETS.fc2);
  weightsGradient(kernels.fc1WeightsGradient, shard.pooled2ByImage, shard.dHidden1, OFFSETS.fc1);
}

/**
 * Backward through both convolutions and normalisations, which completes the gradient. Each group's full-size gradient
 * is expanded into scratch memory and used at once, while it is in the cache.
 */
export function convolutionBackward({ kernels, model, shard }: Network, count: number): void {
  const { parameters, gradient, mean, variance, bn1, bn2 } = model;
  const groups = groupsOf(count);

  kernels.clear(bn2.sums, CONV2_CHANNELS * 32);
  for (let g = 0; g < groups; g++) {
    kernels.sumPooledGradient(
      shard.dPooled2 + g * POOLED2_BYTES,
      shard.pooled2 + g * POOLED2_BYTES,
      shard.winners2 + g * POOLED2_BYTES,
      mean + BN2_OFFSET,
      bn2.sums,
      CONV2_CHANNELS,
      POOLED2_POSITIONS,
    );
  }
  kernels.finishNormalizationGradient(
    bn2.sums,
    variance + BN2_OFFSET,
    parameters + OFFSETS.bn2.gamma,
    CONV2_CHANNELS,
    count * CONV2_SIDE ** 2,
    BATCH_NORM_EPSILON,
    gradient + OFFSETS.bn2.gamma,
    gradient + OFFSETS.bn2.beta,
    bn2.coefficients,
  );

  kernels.clear(model.conv2WeightSums, 2400 * 16);
  kernels.clear(bn1.sums, CONV1_CHANNELS * 32);
  for (let g = 0; g < groups; g++) {
    const dPooled1 = shard.dPooled1 + g * POOLED1_BYTES;
    const pooled1 = shard.pooled1 + g * POOLED1_BYTES;
    kernels.expandGradient(
      shard.dPooled2 + g * POOLED2_BYTES,
      shard.winners2 + g * POOLED2_BYTES,
      shard.conv2 + g * CONV2_BYTES,
      mean + BN2_OFFSET,
      bn2.coefficients,
      lanesOf(g, count),
      model.dConv2,
      CONV2_CHANNELS,
      CONV2_SIDE,
    );
    kernels.conv2WeightsGradient(pooled1, model.dConv2, model.conv2WeightSums, PIN);
    kernels.conv2InputGradient(model.dConv2, parameters + OFFSETS.conv2.weight, dPooled1, PIN);
    kernels.sumPooledGradient(
      dPooled1,
      pooled1,
      shard.winners1 + g * POOLED1_BYTES,
      mean,
      bn1.sums,
      CONV1_CHANNELS,
      POOLED1_POSITIONS,
    );
  }
  kernels.sumLanes(model.conv2WeightSums, gradient + OFFSETS.conv2.weight, 2400);
  kernels.finishNormalizationGradient(
    bn1.sums,
    variance,
    parameters + OFFSETS.bn1.gamma,
    CONV1_CHANNELS,
    count * CONV1_SIDE ** 2,
    BATCH_NORM_EPSILON,
    gradient + OFFSETS.bn1.gamma,
    gradient + OFFSETS.bn1.beta,
    bn1.coefficients,
  );

  kernels.clear(model.conv1WeightSums, 150 * 16);
  for (let g = 0; g < groups; g++) {
    kernels.expandGradient(
      shard.dPooled1 + g * POOLED1_BYTES,
      shard.winners1 + g * POOLED1_BYTES,
      shard.conv1 + g * CONV1_BYTES,
      mean,
      bn1.coefficients,
      lanesOf(g, count),
      model.dConv1,
      CONV1_CHANNELS,
      CONV1_SIDE,
    );
    kernels.conv1WeightsGradient(shard.input + g * INPUT_BYTES, model.dConv1, model.conv1WeightSums, PIN);
  }
  kernels.sumLanes(model.conv1WeightSums, gradient + OFFSETS.conv1.weight, 150);
}
