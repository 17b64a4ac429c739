import { CONV1_CHANNELS, CONV2_CHANNELS, tensor } from "../../../shared/model/lenet5.ts";
import type { Lenet5Kernels } from "./kernel-exports.ts";
import { type ModelLayout, type ShardLayout, VALUES } from "./memory-layout.ts";

/** What the forward and the backward pass have in common: the kernels, their memory, and the network's sizes in bytes. */

export interface Network {
  readonly kernels: Lenet5Kernels;
  readonly model: ModelLayout;
  readonly shard: ShardLayout;
}

/** Equals no tap's number, so that the branches of the scheduling pins are never taken (see kernels/codegen.ts). */
export const PIN = 1_000_000;

/** Values of one channel in one image, before pooling and after. */
export const CONV1_SIDE = 28;
export const CONV2_SIDE = 10;
export const POOLED1_POSITIONS = 196;
export const POOLED2_POSITIONS = 25;

/** Bytes of one group of four images, whose values stand side by side. */
export const GROUP_BYTES = {
  input: VALUES.input * 16,
  conv1: VALUES.conv1 * 16,
  pooled1: VALUES.pooled1 * 16,
  conv2: VALUES.conv2 * 16,
  pooled2: VALUES.pooled2 * 16,
  hidden1: VALUES.hidden1 * 16,
  hidden2: VALUES.hidden2 * 16,
  logits: VALUES.logits * 16,
  /** {mean, sum of squares} of each channel */
  moments1: CONV1_CHANNELS * 8,
  moments2: CONV2_CHANNELS * 8,
} as const;

/** Bytes from the start of the parameters, or of the gradient. */
const at = (name: string): number => tensor(name).offset * 4;
export const OFFSETS = {
  conv1: { weight: at("conv1.weight"), bias: at("conv1.bias") },
  bn1: { gamma: at("bn1.weight"), beta: at("bn1.bias") },
  conv2: { weight: at("conv2.weight"), bias: at("conv2.bias") },
  bn2: { gamma: at("bn2.weight"), beta: at("bn2.bias") },
  fc1: { weight: at("fc1.weight"), bias: at("fc1.bias") },
  fc2: { weight: at("fc2.weight"), bias: at("fc2.bias") },
  fc3: { weight: at("fc3.weight"), bias: at("fc3.bias") },
} as const;
/** bn2's channels follow bn1's in the model's means and variances. */
export const BN2_OFFSET = CONV1_CHANNELS * 4;

export const groupsOf = (count: number): number => Math.ceil(count / 4);
/** Groups with the pad group that an odd number gets: the dense kernels take two at a time. */
export const pairedGroups = (count: number): number => Math.ceil(count / 8) * 2;
/** Images in a group, which is 4 but for the last one. */
export const lanesOf = (group: number, count: number): number => Math.min(4, count - group * 4);
