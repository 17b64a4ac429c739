import { CLASS_COUNT, CONV1_CHANNELS, CONV2_CHANNELS, PARAMETER_COUNT, tensor } from "../../../shared/model/lenet5.ts";
import { type Pooled, maxPool, maxPoolGradient, relu, reluGradient } from "./activations.ts";
import { type ChannelStatistics, batchNorm, batchNormGradient, channelStatistics } from "./batch-norm.ts";
import { convolution, convolutionInputGradient, convolutionWeightsGradient } from "./convolution.ts";
import { dense, denseGradient } from "./dense.ts";
import type { Allocate, Numbers } from "./numbers.ts";

/** Statistics of both normalisations. */
export interface NetworkStatistics {
  readonly bn1: ChannelStatistics;
  readonly bn2: ChannelStatistics;
}

/** All that the backward pass needs of the forward pass. */
export interface Activations {
  readonly images: Numbers;
  readonly conv1: Numbers;
  readonly relu1: Numbers;
  readonly pool1: Pooled;
  readonly conv2: Numbers;
  readonly relu2: Numbers;
  readonly pool2: Pooled;
  readonly hidden1: Numbers;
  readonly hidden2: Numbers;
  /** [count][10] */
  readonly logits: Numbers;
  readonly statistics: NetworkStatistics;
}

function shapes(count: number) {
  return {
    conv1: { count, inChannels: 1, inSide: 32, outChannels: CONV1_CHANNELS },
    bn1: { count, channels: CONV1_CHANNELS, positions: 28 * 28 },
    conv2: { count, inChannels: CONV1_CHANNELS, inSide: 14, outChannels: CONV2_CHANNELS },
    bn2: { count, channels: CONV2_CHANNELS, positions: 10 * 10 },
    fc1: { count, inputs: 400, outputs: 120 },
    fc2: { count, inputs: 120, outputs: 84 },
    fc3: { count, inputs: 84, outputs: CLASS_COUNT },
  };
}

/** The named tensor's part of a vector in table order. */
function part(vector: Numbers, name: string): Numbers {
  const { offset, size } = tensor(name);
  return vector.subarray(offset, offset + size);
}

/**
 * @param images [count][32][32]
 * @param running statistics to normalise with; left out, the batch's own are computed
 */
export function forward(
  parameters: Numbers,
  images: Numbers,
  count: number,
  allocate: Allocate,
  running?: NetworkStatistics,
): Activations {
  const shape = shapes(count);
  const p = (name: string): Numbers => part(parameters, name);

  const conv1 = convolution(images, p("conv1.weight"), p("conv1.bias"), shape.conv1, allocate);
  const bn1 = running?.bn1 ?? channelStatistics(conv1, shape.bn1, allocate);
  const relu1 = relu(batchNorm(conv1, bn1, p("bn1.weight"), p("bn1.bias"), shape.bn1, allocate), allocate);
  const pool1 = maxPool(relu1, 28, allocate);

  const conv2 = convolution(pool1.y, p("conv2.weight"), p("conv2.bias"), shape.conv2, allocate);
  const bn2 = running?.bn2 ?? channelStatistics(conv2, shape.bn2, allocate);
  const relu2 = relu(batchNorm(conv2, bn2, p("bn2.weight"), p("bn2.bias"), shape.bn2, allocate), allocate);
  const pool2 = maxPool(relu2, 10, allocate);

  const hidden1 = relu(dense(pool2.y, p("fc1.weight"), p("fc1.bias"), shape.fc1, allocate), allocate);
  const hidden2 = relu(dense(hidden1, p("fc2.weight"), p("fc2.bias"), shape.fc2, allocate), allocate);
  const logits = dense(hidden2, p("fc3.weight"), p("fc3.bias"), shape.fc3, allocate);
  const statistics = { bn1, bn2 };
  return { images, conv1, relu1, pool1, conv2, relu2, pool2, hidden1, hidden2, logits, statistics };
}

/** @returns the gradient, [61_750] in table order */
export function backward<A extends Numbers>(
  parameters: Numbers,
  activations: Activations,
  dLogits: Numbers,
  count: number,
  allocate: Allocate<A>,
): A {
  const shape = shapes(count);
  const gradient = allocate(PARAMETER_COUNT);
  const p = (name: string): Numbers => part(parameters, name);
  const g = (name: string): Numbers => part(gradient, name);
  const { images, conv1, relu1, pool1, conv2, relu2, pool2, hidden1, hidden2, statistics } = activations;

  const fullyConnected = (layer: "fc1" | "fc2" | "fc3", dy: Numbers, x: Numbers): Numbers =>
    denseGradient(dy, x, p(`${layer}.weight`), shape[layer], g(`${layer}.weight`), g(`${layer}.bias`), allocate);
  const dHidden2 = reluGradient(fullyConnected("fc3", dLogits, hidden2), hidden2, allocate);
  const dHidden1 = reluGradient(fullyConnected("fc2", dHidden2, hidden1), hidden1, allocate);
  const dPool2 = fullyConnected("fc1", dHidden1, pool2.y);

  const normalized = (layer: "bn1" | "bn2", dz: Numbers, y: Numbers): Numbers =>
    batchNormGradient(
      dz,
      y,
      statistics[layer],
      p(`${layer}.weight`),
      shape[layer],
      g(`${layer}.weight`),
      g(`${layer}.bias`),
      allocate,
    );
  const dRelu2 = maxPoolGradient(dPool2, pool2.winners, relu2.length, allocate);
  const dConv2 = normalized("bn2", reluGradient(dRelu2, relu2, allocate), conv2);
  convolutionWeightsGradient(dConv2, pool1.y, shape.conv2, g("conv2.weight"), g("conv2.bias"));
  const dPool1 = convolutionInputGradient(dConv2, p("conv2.weight"), shape.conv2, allocate);

  const dRelu1 = maxPoolGradient(dPool1, pool1.winners, relu1.length, allocate);
  const dConv1 = normalized("bn1", reluGradient(dRelu1, relu1, allocate), conv1);
  convolutionWeightsGradient(dConv1, images, shape.conv1, g("conv1.weight"), g("conv1.bias"));
  return gradient;
}
