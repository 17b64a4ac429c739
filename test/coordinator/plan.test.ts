import { expect, test } from "vitest";
import { RunPlan } from "../../src/coordinator/plan.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";

const DATA = { name: "some", digest: "0", trainSamples: 1_000, testSamples: 600 };

function planOf(options: Record<string, unknown>): RunPlan {
  return new RunPlan(configFrom("train", options), DATA);
}

/** The samples of all shards of an epoch, in their order. */
function samplesOf(plan: RunPlan, epoch: number): number[] {
  const samples: number[] = [];
  for (let step = epoch * plan.stepsPerEpoch; step < (epoch + 1) * plan.stepsPerEpoch; step++) {
    for (let shard = 0; shard < plan.shardCountOf(step); shard++) samples.push(...plan.shard(step, shard).samples);
  }
  return samples;
}

test("an epoch visits each image that is not held out once, in another order each time", () => {
  const plan = planOf({ validation: 130, epochs: 2, seed: 5 });
  const [first, second] = [samplesOf(plan, 0), samplesOf(plan, 1)];
  expect(first).toHaveLength(870);
  expect(new Set(first).size).toBe(870);
  expect(first).not.toEqual(second);
  expect(new Set(second)).toEqual(new Set(first));
  expect(Math.max(...first)).toBeGreaterThan(980);
});

test("without validation images the order is that of all images, and the evaluation is of the test images", () => {
  const plan = planOf({});
  expect(samplesOf(plan, 0).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 1_000 }).keys()]);
  expect([0, 1, 2].map((index) => plan.chunk(index))).toEqual([
    { images: "test", first: 0, count: 250 },
    { images: "test", first: 250, count: 250 },
    { images: "test", first: 500, count: 100 },
  ]);
});

test("an evaluation begins with the validation images", () => {
  const plan = planOf({ validation: 300, limitTrain: 400 });
  expect(plan).toMatchObject({ trainSamples: 100, validationSamples: 300, validationChunks: 2 });
  expect([0, 1, 2, 4].map((index) => plan.chunk(index))).toEqual([
    { images: "validation", first: 0, count: 250 },
    { images: "validation", first: 250, count: 50 },
    { images: "test", first: 0, count: 250 },
    { images: "test", first: 500, count: 100 },
  ]);
  const { evaluationChunks, validationChunks } = plan.forMachine(configFrom("train", {}), DATA);
  expect({ evaluationChunks, validationChunks }).toEqual({ evaluationChunks: 5, validationChunks: 2 });
});

test("more validation images than leave something to train on are refused", () => {
  expect(() => planOf({ validation: 1_000 })).toThrow(
    "--validation 1000 leaves nothing to train on: there are 1000 training images; allowed: at most 999",
  );
  expect(() => planOf({ validation: 50, limitTrain: 50 })).toThrow("there are 50 training images");
  expect(planOf({ validation: 49, limitTrain: 50 }).trainSamples).toBe(1);
});
