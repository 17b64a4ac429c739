import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchPlan, epochOrder } from "../../../src/shared/data/sampler.ts";

test("an epoch visits every sample exactly once", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(1000), fc.nat(300), (seed, epoch, count) => {
      expect([...epochOrder(seed, epoch, count).sort()]).toEqual([...new Uint32Array(count).keys()]);
    }),
  );
});

test("seed and epoch change the order, asking again does not", () => {
  const order = [...epochOrder(1, 0, 100)];
  expect([...epochOrder(1, 0, 100)]).toEqual(order);
  expect([...epochOrder(1, 1, 100)]).not.toEqual(order);
  expect([...epochOrder(2, 0, 100)]).not.toEqual(order);
});

test("has the order that every machine must get", () => {
  expect([...epochOrder(1, 0, 10)]).toEqual([3, 6, 4, 5, 0, 7, 9, 8, 1, 2]);
});

test("each sample is as likely in every place", () => {
  const samples = 6;
  const epochs = 6000;
  const seen = new Uint32Array(samples * samples);
  for (let epoch = 0; epoch < epochs; epoch++) {
    epochOrder(3, epoch, samples).forEach((sample, place) => seen[place * samples + sample]!++);
  }
  // 1000 expected; five standard deviations are 144.
  for (const count of seen) expect(Math.abs(count - epochs / samples)).toBeLessThan(150);
});

test("MNIST at batch 64 is 938 steps, the last of 32 images", () => {
  const plan = new BatchPlan(60_000, 64, 32);
  expect(plan.stepsPerEpoch).toBe(938);
  expect([plan.batchSizeOf(0), plan.batchSizeOf(936), plan.batchSizeOf(937)]).toEqual([64, 64, 32]);
  expect([plan.shardCountOf(0), plan.shardCountOf(937)]).toEqual([2, 1]);
  expect(plan.shardRange(1, 1)).toEqual({ start: 96, end: 128 });
  expect(plan.shardRange(937, 0)).toEqual({ start: 59_968, end: 60_000 });
});

test.each([
  { samples: 10, batchSize: 64, shardSize: 32, shards: [[10]] },
  { samples: 70, batchSize: 64, shardSize: 32, shards: [[32, 32], [6]] },
  { samples: 7, batchSize: 3, shardSize: 2, shards: [[2, 1], [2, 1], [1]] },
  { samples: 4, batchSize: 2, shardSize: 8, shards: [[2], [2]] },
])("$samples samples in batches of $batchSize and shards of $shardSize", ({ shards, ...sizes }) => {
  const plan = new BatchPlan(sizes.samples, sizes.batchSize, sizes.shardSize);
  const found = Array.from({ length: plan.stepsPerEpoch }, (_, step) =>
    Array.from({ length: plan.shardCountOf(step) }, (_, shard) => {
      const { start, end } = plan.shardRange(step, shard);
      return end - start;
    }),
  );
  expect(found).toEqual(shards);
});

test("the shards of an epoch cover it exactly once, in order, and none is empty or too large", () => {
  const size = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), size, size, (samples, batchSize, shardSize) => {
      const plan = new BatchPlan(samples, batchSize, shardSize);
      let next = 0;
      for (let step = 0; step < plan.stepsPerEpoch; step++) {
        const batchStart = next;
        for (let shard = 0; shard < plan.shardCountOf(step); shard++) {
          const { start, end } = plan.shardRange(step, shard);
          expect(start).toBe(next);
          expect(end - start).toBeGreaterThan(0);
          expect(end - start).toBeLessThanOrEqual(shardSize);
          next = end;
        }
        expect(next - batchStart).toBe(plan.batchSizeOf(step));
      }
      expect(next).toBe(samples);
    }),
  );
});

test("what is outside the epoch is a broken invariant", () => {
  const plan = new BatchPlan(70, 64, 32);
  expect(() => plan.batchSizeOf(2)).toThrow("step 2 is not one of the epoch's 2");
  expect(() => plan.batchSizeOf(-1)).toThrow("step -1");
  expect(() => plan.shardRange(1, 1)).toThrow("shard 1 is not one of 1");
  expect(() => new BatchPlan(0, 64, 32)).toThrow("samples 0");
  expect(() => new BatchPlan(10, 64, 1.5)).toThrow("shardSize 1.5");
});
