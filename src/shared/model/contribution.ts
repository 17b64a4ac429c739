import { PARAMETER_COUNT, STATE_COUNT, STATISTIC_COUNT } from "./lenet5.ts";

/**
 * What a shard adds to a step, as one flat float32 vector, so that one reduction serves everything that is summed:
 *
 *     [0, 61_750)       gradient of (sum of the shard's losses) / (samples in the global batch)
 *     [61_750, 61_794)  batch means and unbiased variances, each times (shard's samples / global batch's samples),
 *                       in the order of the running statistics
 *     [61_794]          sum of the shard's losses, in nats
 *     [61_795]          images that the shard classified correctly
 */
export const LOSS_INDEX = STATE_COUNT;
export const CORRECT_INDEX = STATE_COUNT + 1;
export const CONTRIBUTION_COUNT = STATE_COUNT + 2;

/**
 * The vectors travel in two slices, because the dense layers' part (96 % of it) is final before the convolutions'
 * backward pass begins: it can be sent, summed and stepped while the rest is still being computed.
 */
export type SliceName = "dense" | "conv";

export interface Slice {
  readonly name: SliceName;
  readonly start: number;
  /** Length of the slice in a contribution. */
  readonly contributionLength: number;
  /** Length of the slice in a state vector. */
  readonly stateLength: number;
  /** How many of these, from the start, are parameters (the rest are statistics, loss and correct count). */
  readonly parameterLength: number;
}

/** conv1.weight up to bn2.bias. */
const CONV_END = 2_616;

export const SLICES = {
  dense: {
    name: "dense",
    start: CONV_END,
    contributionLength: CONTRIBUTION_COUNT - CONV_END,
    stateLength: STATE_COUNT - CONV_END,
    parameterLength: PARAMETER_COUNT - CONV_END,
  },
  conv: {
    name: "conv",
    start: 0,
    contributionLength: CONV_END,
    stateLength: CONV_END,
    parameterLength: CONV_END,
  },
} as const satisfies Record<SliceName, Slice>;

/** In the order in which they become final. */
export const SLICE_NAMES: readonly SliceName[] = ["dense", "conv"];

/** Where the summed statistics start within the dense slice. */
export const STATISTICS_IN_DENSE = PARAMETER_COUNT - CONV_END;
export const LOSS_IN_DENSE = LOSS_INDEX - CONV_END;
export const CORRECT_IN_DENSE = CORRECT_INDEX - CONV_END;

/** Positions over which each of the 22 channels' statistics are taken, per image: 28x28 for bn1, 10x10 for bn2. */
const POSITIONS_PER_IMAGE = (channel: number): number => (channel < 6 ? 28 * 28 : 10 * 10);

/** Where channel c's [mean, variance] stand among the 44 statistics: mean[6] var[6] mean[16] var[16]. */
export function statisticSlots(channel: number): readonly [mean: number, variance: number] {
  return channel < 6 ? [channel, 6 + channel] : [12 + (channel - 6), 28 + (channel - 6)];
}

/**
 * Writes a shard's 44 weighted statistics.
 *
 * The running variance is fed with the unbiased estimate, as PyTorch's BatchNorm2d does: biased * n / (n - 1), with n
 * the shard's images times the positions of a channel.
 *
 * @param out `[44]`
 * @param batchMean `[22]` @param batchVar `[22]`, biased
 */
export function writeStatistics(
  out: Float32Array,
  batchMean: Float32Array,
  batchVar: Float32Array,
  shardCount: number,
  globalCount: number,
): void {
  const weight = shardCount / globalCount;
  for (let channel = 0; channel < STATISTIC_COUNT / 2; channel++) {
    const n = shardCount * POSITIONS_PER_IMAGE(channel);
    const [mean, variance] = statisticSlots(channel);
    out[mean] = (batchMean[channel] ?? 0) * weight;
    out[variance] = (batchVar[channel] ?? 0) * (n / (n - 1)) * weight;
  }
}

/**
 * Running statistics in the order in which engines take them: 6 channels of bn1, then 16 of bn2.
 *
 * @param statistics the last `[44]` of a state vector
 */
export function runningStatistics(statistics: Float32Array): { runningMean: Float32Array; runningVar: Float32Array } {
  const runningMean = new Float32Array(STATISTIC_COUNT / 2);
  const runningVar = new Float32Array(STATISTIC_COUNT / 2);
  for (let channel = 0; channel < STATISTIC_COUNT / 2; channel++) {
    const [mean, variance] = statisticSlots(channel);
    runningMean[channel] = statistics[mean] ?? 0;
    runningVar[channel] = statistics[variance] ?? 0;
  }
  return { runningMean, runningVar };
}
