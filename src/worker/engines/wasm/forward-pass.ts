import { BATCH_NORM_EPSILON, CONV1_CHANNELS, CONV2_CHANNELS, IMAGE_SIZE } from "../../../shared/model/lenet5.ts";
import {
  type Network,
  BN2_OFFSET,
  CONV1_SIDE,
  CONV2_SIDE,
  GROUP_BYTES,
  OFFSETS,
  PIN,
  groupsOf,
  lanesOf,
  pairedGroups,
} from "./network.ts";

/**
 * Logits of `count` images that lie at `shard.images`, normalised or as bytes, zeros behind the last.
 *
 * With "batch" statistics their mean and variance are computed on the way. With "running" ones they have been folded
 * already, and no image's result depends on another's.
 */
export function forward(
  network: Network,
  count: number,
  statistics: "batch" | "running",
  pixels: "float32" | "bytes",
): void {
  const { kernels, model, shard } = network;
  const groups = groupsOf(count);
  const training = statistics === "batch";
  const parameters = model.parameters;

  for (let g = 0; g < groups; g++) {
    const input = shard.input + g * GROUP_BYTES.input;
    if (pixels === "float32") kernels.interleave(shard.images + g * GROUP_BYTES.input, input, IMAGE_SIZE);
    else kernels.interleaveBytes(shard.images + g * 4 * IMAGE_SIZE, input, IMAGE_SIZE, model.normalised);
    kernels.conv1Forward(
      input,
      parameters + OFFSETS.conv1.weight,
      parameters + OFFSETS.conv1.bias,
      shard.conv1 + g * GROUP_BYTES.conv1,
      training ? shard.moments1 + g * GROUP_BYTES.moments1 : 0,
      lanesOf(g, count),
      PIN,
    );
  }
  if (training) {
    kernels.mergeMoments(shard.moments1, count, CONV1_CHANNELS, CONV1_SIDE ** 2, model.mean, model.variance);
    foldFirst(network);
  }
  for (let g = 0; g < groups; g++) {
    const pooled = shard.pooled1 + g * GROUP_BYTES.pooled1;
    kernels.normalizeAndPool(
      shard.conv1 + g * GROUP_BYTES.conv1,
      model.bn1.scale,
      model.bn1.shift,
      pooled,
      shard.winners1 + g * GROUP_BYTES.pooled1,
      CONV1_CHANNELS,
      CONV1_SIDE,
    );
    kernels.conv2Forward(
      pooled,
      parameters + OFFSETS.conv2.weight,
      parameters + OFFSETS.conv2.bias,
      shard.conv2 + g * GROUP_BYTES.conv2,
      training ? shard.moments2 + g * GROUP_BYTES.moments2 : 0,
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
      shard.conv2 + g * GROUP_BYTES.conv2,
      model.bn2.scale,
      model.bn2.shift,
      shard.pooled2 + g * GROUP_BYTES.pooled2,
      shard.winners2 + g * GROUP_BYTES.pooled2,
      CONV2_CHANNELS,
      CONV2_SIDE,
    );
  }
  // The pad group's values do not matter as long as they are finite: its gradient is 0, and 0 times anything finite is 0.
  if (groups % 2 === 1) kernels.clear(shard.pooled2 + groups * GROUP_BYTES.pooled2, GROUP_BYTES.pooled2);
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
    kernels.fc1Forward(
      shard.pooled2 + g * GROUP_BYTES.pooled2,
      fc1.w,
      fc1.b,
      shard.hidden1 + g * GROUP_BYTES.hidden1,
      PIN,
    );
  }
  for (let g = 0; g < groups; g += 2) {
    const hidden2 = shard.hidden2 + g * GROUP_BYTES.hidden2;
    kernels.fc2Forward(shard.hidden1 + g * GROUP_BYTES.hidden1, fc2.w, fc2.b, hidden2, PIN);
    kernels.fc3Forward(hidden2, fc3.w, fc3.b, shard.logits + g * GROUP_BYTES.logits, PIN);
  }
}
