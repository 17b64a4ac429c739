import {
  CLASS_COUNT,
  CONV1_CHANNELS,
  CONV2_CHANNELS,
  IMAGE_SIZE,
  PARAMETER_COUNT,
  STATISTIC_COUNT,
  tensor,
} from "../../../shared/model/lenet5.ts";
import type { Address } from "./kernel-exports.ts";

/**
 * Where everything lies in the module's memory. What is always there comes first, so that it never moves; behind it the
 * activations of a shard, which are laid out anew when a larger shard arrives.
 *
 * Sizes in the comments are counted in float32 values. `[G]` stands for groups of four images, rounded up to an even
 * number: the dense kernels take two groups at a time.
 */

/** Values of one image at each stage of the network. */
export const VALUES = {
  input: IMAGE_SIZE,
  conv1: CONV1_CHANNELS * 28 * 28,
  pooled1: CONV1_CHANNELS * 14 * 14,
  conv2: CONV2_CHANNELS * 10 * 10,
  pooled2: CONV2_CHANNELS * 5 * 5,
  hidden1: 120,
  hidden2: 84,
  logits: CLASS_COUNT,
} as const;

/** Blocks start on a cache line. */
const ALIGNMENT = 64;

/** Hands out memory from an address upwards. */
class Allocator {
  next: Address;

  constructor(start: Address) {
    this.next = start;
    this.#align();
  }

  floats(count: number): Address {
    return this.bytes(count * 4);
  }

  bytes(count: number): Address {
    const address = this.next;
    this.next += count;
    this.#align();
    return address;
  }

  #align(): void {
    this.next = Math.ceil(this.next / ALIGNMENT) * ALIGNMENT;
  }
}

function normalization(allocator: Allocator, channels: number) {
  return {
    /** z = scale * y + shift; [channels] each */
    scale: allocator.floats(channels),
    shift: allocator.floats(channels),
    /** [channels][2][4], sums of the backward pass */
    sums: allocator.floats(channels * 8),
    /** [channels][4], of the expansion in the backward pass */
    coefficients: allocator.floats(channels * 4),
  };
}

/** Everything whose size does not depend on the shard. */
export function layOutModel(start: Address) {
  const allocator = new Allocator(start);
  return {
    parameters: allocator.floats(PARAMETER_COUNT),
    gradient: allocator.floats(PARAMETER_COUNT),
    /** [22] each: 6 channels of bn1, then 16 of bn2 */
    mean: allocator.floats(STATISTIC_COUNT / 2),
    variance: allocator.floats(STATISTIC_COUNT / 2),
    /** [256]: what the network sees for each byte of an image */
    normalised: allocator.floats(256),
    /** {sum of the losses: f64, correct images: i32} */
    summary: allocator.bytes(16),
    bn1: normalization(allocator, CONV1_CHANNELS),
    bn2: normalization(allocator, CONV2_CHANNELS),
    /** Vector sums of the weights' gradients: [6][1][5][5][4] and [16][6][5][5][4] */
    conv1WeightSums: allocator.floats(tensor("conv1.weight").size * 4),
    conv2WeightSums: allocator.floats(tensor("conv2.weight").size * 4),
    /** Gradient of one group's convolution outputs: [6][28][28][4] and [16][10][10][4] */
    dConv1: allocator.floats(VALUES.conv1 * 4),
    dConv2: allocator.floats(VALUES.conv2 * 4),
    end: allocator.next,
  };
}

/** Room for `groups` groups, an even number. */
export function layOutShard(start: Address, groups: number) {
  const images = groups * 4;
  const allocator = new Allocator(start);
  return {
    /** [images], bytes */
    labels: allocator.bytes(images),
    /** [images][32][32], float32 or bytes, as they came */
    images: allocator.floats(images * VALUES.input),
    /** [G][1][32][32][4] */
    input: allocator.floats(images * VALUES.input),
    /** [G][6][28][28][4], before normalisation */
    conv1: allocator.floats(images * VALUES.conv1),
    /** [G][6]{mean, sum of squares} */
    moments1: allocator.floats(groups * CONV1_CHANNELS * 2),
    /** [G][6][14][14][4] each */
    pooled1: allocator.floats(images * VALUES.pooled1),
    winners1: allocator.floats(images * VALUES.pooled1),
    dPooled1: allocator.floats(images * VALUES.pooled1),
    /** [G][16][10][10][4], before normalisation */
    conv2: allocator.floats(images * VALUES.conv2),
    /** [G][16]{mean, sum of squares} */
    moments2: allocator.floats(groups * CONV2_CHANNELS * 2),
    /** [G][16][5][5][4] = [G][400][4] each */
    pooled2: allocator.floats(images * VALUES.pooled2),
    winners2: allocator.floats(images * VALUES.pooled2),
    dPooled2: allocator.floats(images * VALUES.pooled2),
    /** [G][120][4], [G][84][4] and [G][10][4], each with its gradient */
    hidden1: allocator.floats(images * VALUES.hidden1),
    dHidden1: allocator.floats(images * VALUES.hidden1),
    hidden2: allocator.floats(images * VALUES.hidden2),
    dHidden2: allocator.floats(images * VALUES.hidden2),
    logits: allocator.floats(images * VALUES.logits),
    dLogits: allocator.floats(images * VALUES.logits),
    /** Image by image, for the dense weights' gradients: [images][400], [images][120], [images][84] */
    pooled2ByImage: allocator.floats(images * VALUES.pooled2),
    hidden1ByImage: allocator.floats(images * VALUES.hidden1),
    hidden2ByImage: allocator.floats(images * VALUES.hidden2),
    end: allocator.next,
  };
}

export type ModelLayout = ReturnType<typeof layOutModel>;
export type ShardLayout = ReturnType<typeof layOutShard>;
