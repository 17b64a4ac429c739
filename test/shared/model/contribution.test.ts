import { describe, expect, test } from "vitest";
import {
  CONTRIBUTION_COUNT,
  CORRECT_IN_DENSE,
  CORRECT_INDEX,
  LOSS_IN_DENSE,
  LOSS_INDEX,
  runningStatistics,
  SLICE_NAMES,
  SLICES,
  STATISTICS_IN_DENSE,
  statisticSlots,
  writeStatistics,
} from "../../../src/shared/model/contribution.ts";
import { PARAMETER_COUNT, STATE_COUNT, STATISTIC_COUNT, tensor } from "../../../src/shared/model/lenet5.ts";

const CHANNELS = Array.from({ length: 22 }, (_, channel) => channel);

describe("layout", () => {
  test("is the documented one", () => {
    expect([PARAMETER_COUNT, LOSS_INDEX, CORRECT_INDEX, CONTRIBUTION_COUNT]).toEqual([61_750, 61_794, 61_795, 61_796]);
  });

  test("the slices cover contributions, states and parameters, each once", () => {
    const { conv, dense } = SLICES;
    expect([...SLICE_NAMES].sort()).toEqual(["conv", "dense"]);
    expect(conv.start).toBe(0);
    expect(conv.contributionLength).toBe(dense.start);
    expect(conv.contributionLength + dense.contributionLength).toBe(CONTRIBUTION_COUNT);
    expect(conv.stateLength + dense.stateLength).toBe(STATE_COUNT);
    expect(conv.parameterLength + dense.parameterLength).toBe(PARAMETER_COUNT);
  });

  test("the dense slice begins with fc1.weight, where SIMD can begin", () => {
    expect(SLICES.dense.start).toBe(tensor("fc1.weight").offset);
    expect(SLICES.dense.start % 4).toBe(0);
  });

  test("statistics, loss and correct count stand behind the parameters of the dense slice", () => {
    const inContribution = (place: number) => SLICES.dense.start + place;
    expect(inContribution(STATISTICS_IN_DENSE)).toBe(PARAMETER_COUNT);
    expect(inContribution(LOSS_IN_DENSE)).toBe(LOSS_INDEX);
    expect(inContribution(CORRECT_IN_DENSE)).toBe(CORRECT_INDEX);
    expect(CORRECT_IN_DENSE).toBe(SLICES.dense.contributionLength - 1);
  });
});

describe("statistics", () => {
  const batchMean = Float32Array.from(CHANNELS, (channel) => channel + 1);
  const batchVar = Float32Array.from(CHANNELS, (channel) => 100 + channel);

  test("have a slot each, in the order of the state's tensors", () => {
    const slots = CHANNELS.flatMap((channel) => statisticSlots(channel));
    expect(slots.toSorted((a, b) => a - b)).toEqual(Array.from({ length: STATISTIC_COUNT }, (_, i) => i));
    const slotOf = (name: string) => tensor(name).offset - PARAMETER_COUNT;
    expect(statisticSlots(0)).toEqual([slotOf("bn1.running_mean"), slotOf("bn1.running_var")]);
    expect(statisticSlots(5)).toEqual([slotOf("bn1.running_mean") + 5, slotOf("bn1.running_var") + 5]);
    expect(statisticSlots(6)).toEqual([slotOf("bn2.running_mean"), slotOf("bn2.running_var")]);
    expect(statisticSlots(21)).toEqual([slotOf("bn2.running_mean") + 15, slotOf("bn2.running_var") + 15]);
  });

  test.each([
    { shardCount: 32, globalCount: 64 },
    { shardCount: 1, globalCount: 1 },
    { shardCount: 4, globalCount: 100 },
  ])(
    "of a shard of $shardCount in a batch of $globalCount are weighted by its share, the variance unbiased",
    (sizes) => {
      const { shardCount, globalCount } = sizes;
      const out = new Float32Array(STATISTIC_COUNT);
      writeStatistics(out, batchMean, batchVar, shardCount, globalCount);
      const share = shardCount / globalCount;
      for (const channel of CHANNELS) {
        const [mean, variance] = statisticSlots(channel);
        const n = shardCount * (channel < 6 ? 784 : 100);
        expect(out[mean]).toBe(Math.fround((channel + 1) * share));
        expect(out[variance]).toBeCloseTo(((100 + channel) * n * share) / (n - 1), 4);
      }
    },
  );

  test("of all shards of a batch add up to a weighted mean", () => {
    const total = new Float32Array(STATISTIC_COUNT);
    for (const shardCount of [32, 32, 32, 4]) {
      const out = new Float32Array(STATISTIC_COUNT);
      writeStatistics(out, batchMean, batchVar, shardCount, 100);
      for (const [i, value] of out.entries()) total[i]! += value;
    }
    for (const channel of CHANNELS) expect(total[statisticSlots(channel)[0]]).toBeCloseTo(channel + 1, 4);
  });

  test("are read back from a state in the engines' order", () => {
    const state = new Float32Array(STATE_COUNT);
    // A shard of very many images that is the whole batch: the weights are 1.
    writeStatistics(state.subarray(PARAMETER_COUNT), batchMean, batchVar, 2 ** 30, 2 ** 30);
    const { runningMean, runningVar } = runningStatistics(state.subarray(PARAMETER_COUNT));
    expect(runningMean).toEqual(batchMean);
    expect(runningVar).toEqual(batchVar);
  });
});
