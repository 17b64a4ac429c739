import { expect, test } from "vitest";
import {
  CORRECT_IN_DENSE,
  LOSS_IN_DENSE,
  SLICES,
  STATISTICS_IN_DENSE,
  writeStatistics,
} from "../../src/shared/model/contribution.ts";
import { PARAMETER_COUNT, STATISTIC_COUNT } from "../../src/shared/model/lenet5.ts";
import type { ShardGradient } from "../../src/worker/engines/engine.ts";
import { SharedPool } from "../../src/shared/transport/shared-pool.ts";
import { sharedMemory } from "../../src/shared/vector/vector-memory.ts";
import { ShardSums } from "../../src/worker/shard-sums.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

function gradientOf(shard: number): ShardGradient {
  return {
    gradient: randomVector(PARAMETER_COUNT, shard + 1),
    lossSum: shard + 0.5,
    correct: shard + 10,
    batchMean: randomVector(22, shard + 100),
    batchVar: randomVector(22, shard + 200),
  };
}

function statisticsOf({ batchMean, batchVar }: ShardGradient, count: number, globalCount: number): Float32Array {
  const out = new Float32Array(STATISTIC_COUNT);
  writeStatistics(out, batchMean, batchVar, count, globalCount);
  return out;
}

const plus = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => Math.fround(value + b[i]!));
const { dense, conv } = SLICES;

test("one shard's contribution is laid out as the slices say", () => {
  const sums = new ShardSums();
  const gradient = gradientOf(0);
  sums.reset(1);
  sums.addDense(0, gradient, 32, 64);
  sums.addConv(0, gradient);
  const denseSum = sums.take("dense").sums[0]!;
  expect(denseSum.length).toBe(dense.contributionLength);
  expectSameBits(denseSum.slice(0, dense.parameterLength), gradient.gradient.slice(dense.start), "gradient");
  const statistics = denseSum.slice(STATISTICS_IN_DENSE, STATISTICS_IN_DENSE + STATISTIC_COUNT);
  expectSameBits(statistics, statisticsOf(gradient, 32, 64), "statistics");
  expect([denseSum[LOSS_IN_DENSE], denseSum[CORRECT_IN_DENSE]]).toEqual([0.5, 10]);
  expectSameBits(sums.take("conv").sums[0]!, gradient.gradient.slice(0, conv.contributionLength), "conv");
});

test("siblings are added, others stay apart, and loss and correct count with them", () => {
  const sums = new ShardSums();
  const gradients = [0, 1, 2, 3, 4].map(gradientOf);
  sums.reset(6);
  for (const shard of [4, 1, 2, 0]) {
    sums.addDense(shard, gradients[shard]!, 10, 60);
    sums.addConv(shard, gradients[shard]!);
  }
  for (const slice of ["dense", "conv"] as const) {
    expect(sums.take(slice).nodes).toEqual([
      { level: 1, index: 0 },
      { level: 0, index: 2 },
      { level: 0, index: 4 },
    ]);
  }
  const convOf = (shard: number) => gradients[shard]!.gradient.slice(0, conv.contributionLength);
  const [pair, single] = sums.take("conv").sums;
  expectSameBits(pair!, plus(convOf(0), convOf(1)), "shards 0 and 1");
  expectSameBits(single!, convOf(2), "shard 2");
  expect(sums.take("dense").sums[0]![LOSS_IN_DENSE]).toBe(2);
  expect(sums.take("dense").sums[0]![CORRECT_IN_DENSE]).toBe(21);
});

test("what was taken is a copy: the next assignment does not change it, and finds nothing of the last", () => {
  const sums = new ShardSums();
  const fill = (shard: number): void => {
    sums.reset(2);
    sums.addDense(shard, gradientOf(shard), 1, 2);
    sums.addConv(shard, gradientOf(shard));
  };
  fill(0);
  const taken = [sums.take("dense").sums[0]!, sums.take("conv").sums[0]!];
  const copies = taken.map((values) => values.slice());
  fill(1);
  for (const [i, values] of taken.entries()) expectSameBits(values, copies[i]!);
  expect(sums.take("conv").nodes).toEqual([{ level: 0, index: 1 }]);
  expectSameBits(sums.take("conv").sums[0]!, gradientOf(1).gradient.slice(0, conv.contributionLength));
});

test("a shard that is added twice throws", () => {
  const sums = new ShardSums();
  sums.reset(4);
  sums.addConv(2, gradientOf(2));
  expect(() => sums.addConv(2, gradientOf(2))).toThrow("added twice");
});

test("in the memory of threads the sums are sent as they are, and not used again before their reader has done", () => {
  const memory = sharedMemory();
  const [worker, coordinator] = [new SharedPool(memory), new SharedPool(memory)];
  const [here, elsewhere] = [new ShardSums(worker), new ShardSums()];
  const addTo = (sums: ShardSums, seed: number): void => {
    sums.reset(3);
    for (const shard of [0, 1, 2]) {
      sums.addDense(shard, gradientOf(seed + shard), 10, 30);
      sums.addConv(shard, gradientOf(seed + shard));
    }
  };
  addTo(here, 0);
  addTo(elsewhere, 0);
  const expected = elsewhere.take("dense").sums;
  const { sums } = here.take("dense");
  for (const sum of sums) coordinator.retain(sum);
  for (const sum of sums) worker.release(sum);
  const places = sums.map(({ byteOffset }) => byteOffset);
  addTo(here, 50);
  expect(here.take("dense").sums.map(({ byteOffset }) => byteOffset)).not.toEqual(places);
  for (const [i, sum] of sums.entries()) expectSameBits(sum, expected[i]!, `sum ${i}`);
  for (const sum of sums) coordinator.release(sum);
});
