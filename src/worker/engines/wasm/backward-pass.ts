import { BATCH_NORM_EPSILON, CONV1_CHANNELS, CONV2_CHANNELS, tensor } from "../../../shared/model/lenet5.ts";
import type { ShardInput } from "../engine.ts";
import type { Address, Lenet5Kernels } from "./kernel-exports.ts";
import { VALUES } from "./memory-layout.ts";
import {
  type Network,
  BN2_OFFSET,
  CONV1_SIDE,
  CONV2_SIDE,
  GROUP_BYTES,
  OFFSETS,
  PIN,
  POOLED1_POSITIONS,
  POOLED2_POSITIONS,
  groupsOf,
  lanesOf,
  pairedGroups,
} from "./network.ts";

const CONV1_WEIGHTS = tensor("conv1.weight").size;
const CONV2_WEIGHTS = tensor("conv2.weight").size;

/** Loss, and its gradient with respect to the logits. Reads the labels at `shard.labels`, writes `model.summary`. */
export function loss(
  { kernels, model, shard }: Network,
  count: number,
  { globalCount, labelSmoothing = 0 }: Omit<ShardInput, "images" | "labels">,
): void {
  kernels.softmaxCrossEntropy(
    shard.logits,
    shard.labels,
    shard.dLogits,
    pairedGroups(count),
    count,
    globalCount,
    labelSmoothing,
    model.summary,
  );
}

/** Backward through the dense layers: their part of the gradient, and `shard.dPooled2`. */
export function denseBackward({ kernels, model, shard }: Network, count: number): void {
  const { parameters, gradient } = model;
  for (let g = 0; g < pairedGroups(count); g += 2) {
    const hidden1 = shard.hidden1 + g * GROUP_BYTES.hidden1;
    const hidden2 = shard.hidden2 + g * GROUP_BYTES.hidden2;
    const dHidden1 = shard.dHidden1 + g * GROUP_BYTES.hidden1;
    const dHidden2 = shard.dHidden2 + g * GROUP_BYTES.hidden2;
    const dLogits = shard.dLogits + g * GROUP_BYTES.logits;
    kernels.fc3InputGradient(dLogits, parameters + OFFSETS.fc3.weight, hidden2, dHidden2, PIN);
    kernels.fc2InputGradient(dHidden2, parameters + OFFSETS.fc2.weight, hidden1, dHidden1, PIN);
  }
  for (let g = 0; g < pairedGroups(count); g += 2) {
    const dPooled2 = shard.dPooled2 + g * GROUP_BYTES.pooled2;
    kernels.fc1InputGradient(shard.dHidden1 + g * GROUP_BYTES.hidden1, parameters + OFFSETS.fc1.weight, dPooled2, PIN);
  }

  const groups = groupsOf(count);
  for (let g = 0; g < groups; g++) {
    kernels.separate(
      shard.pooled2 + g * GROUP_BYTES.pooled2,
      shard.pooled2ByImage + g * GROUP_BYTES.pooled2,
      VALUES.pooled2,
    );
    kernels.separate(
      shard.hidden1 + g * GROUP_BYTES.hidden1,
      shard.hidden1ByImage + g * GROUP_BYTES.hidden1,
      VALUES.hidden1,
    );
    kernels.separate(
      shard.hidden2 + g * GROUP_BYTES.hidden2,
      shard.hidden2ByImage + g * GROUP_BYTES.hidden2,
      VALUES.hidden2,
    );
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
      shard.dPooled2 + g * GROUP_BYTES.pooled2,
      shard.pooled2 + g * GROUP_BYTES.pooled2,
      shard.winners2 + g * GROUP_BYTES.pooled2,
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

  kernels.clear(model.conv2WeightSums, CONV2_WEIGHTS * 16);
  kernels.clear(bn1.sums, CONV1_CHANNELS * 32);
  for (let g = 0; g < groups; g++) {
    const dPooled1 = shard.dPooled1 + g * GROUP_BYTES.pooled1;
    const pooled1 = shard.pooled1 + g * GROUP_BYTES.pooled1;
    kernels.expandGradient(
      shard.dPooled2 + g * GROUP_BYTES.pooled2,
      shard.winners2 + g * GROUP_BYTES.pooled2,
      shard.conv2 + g * GROUP_BYTES.conv2,
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
      shard.winners1 + g * GROUP_BYTES.pooled1,
      mean,
      bn1.sums,
      CONV1_CHANNELS,
      POOLED1_POSITIONS,
    );
  }
  kernels.sumLanes(model.conv2WeightSums, gradient + OFFSETS.conv2.weight, CONV2_WEIGHTS);
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

  kernels.clear(model.conv1WeightSums, CONV1_WEIGHTS * 16);
  for (let g = 0; g < groups; g++) {
    kernels.expandGradient(
      shard.dPooled1 + g * GROUP_BYTES.pooled1,
      shard.winners1 + g * GROUP_BYTES.pooled1,
      shard.conv1 + g * GROUP_BYTES.conv1,
      mean,
      bn1.coefficients,
      lanesOf(g, count),
      model.dConv1,
      CONV1_CHANNELS,
      CONV1_SIDE,
    );
    kernels.conv1WeightsGradient(shard.input + g * GROUP_BYTES.input, model.dConv1, model.conv1WeightSums, PIN);
  }
  kernels.sumLanes(model.conv1WeightSums, gradient + OFFSETS.conv1.weight, CONV1_WEIGHTS);
}
