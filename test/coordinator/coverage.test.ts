import { beforeEach, describe, expect, test } from "vitest";
import { Coverage } from "../../src/coordinator/coverage.ts";
import { RunPlan } from "../../src/coordinator/plan.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { SLICE_NAMES } from "../../src/shared/model/contribution.ts";
import { coveringNodes } from "../support/covering-nodes.ts";

/** Two steps an epoch: 64 samples in shards of 20, 20, 20 and 4, then 36 in shards of 20 and 16. */
const config = configFrom("train", { epochs: 3, batchSize: 64, shardSize: 20, limitTrain: 100 });
const plan = new RunPlan(config, { name: "made up", digest: "", trainSamples: 100, testSamples: 10 });

let coverage: Coverage;
beforeEach(() => {
  coverage = new Coverage(plan);
});

/** All shards of a step, each in a result of its own for each slice. */
function takeStep(step: number, to = coverage): void {
  for (const slice of SLICE_NAMES) {
    for (let shard = 0; shard < plan.shardCountOf(step); shard++) {
      to.accept(step, slice, [{ level: 0, index: shard }]);
    }
  }
  to.stepDone(step);
}

test("counts the samples of whole epochs, each once", () => {
  const counts = [0, 1, 2, 3, 4, 5].map((step) => {
    takeStep(step);
    return coverage.counted;
  });
  expect(counts).toEqual([64, 100, 64, 100, 64, 100]);
  expect([coverage.lost, coverage.repeated]).toEqual([0, 0]);
});

test("counts a sample once both of its slices have come, whatever nodes they come in", () => {
  coverage.accept(0, "dense", coveringNodes([0, 1, 2, 3], 4));
  expect(coverage.counted).toBe(0);
  coverage.accept(0, "conv", coveringNodes([3, 0], 4));
  expect(coverage.counted).toBe(24);
  coverage.accept(0, "conv", coveringNodes([1, 2], 4));
  coverage.stepDone(0);
  expect(coverage.counted).toBe(64);
});

test("stops at a shard that counts twice, in its own step or a later one", () => {
  coverage.accept(0, "dense", coveringNodes([2, 3], 4));
  expect(() => coverage.accept(0, "dense", [{ level: 0, index: 3 }])).toThrow(
    "broken invariant: 4 samples count twice in one epoch (slice dense)",
  );
  expect(coverage.repeated).toBe(4);
});

test("stops at a sample that two steps of an epoch have", () => {
  const broken = Object.create(plan) as RunPlan;
  broken.shard = (_, index) => plan.shard(0, index);
  const other = new Coverage(broken);
  other.accept(0, "conv", [{ level: 0, index: 1 }]);
  expect(() => other.accept(1, "conv", [{ level: 0, index: 1 }])).toThrow(
    "20 samples count twice in one epoch (slice conv)",
  );
});

test("stops after a step that lacks a shard", () => {
  takeStep(0);
  coverage.accept(1, "dense", coveringNodes([0, 1], 2));
  coverage.accept(1, "conv", [{ level: 0, index: 0 }]);
  expect(() => coverage.stepDone(1)).toThrow("after step 1 84 samples have counted, expected 100 (slice conv)");
  expect(coverage.lost).toBe(16);
});

describe("of a resumed run", () => {
  test.each([
    [0, 0],
    [1, 64],
    [2, 0],
    [3, 64],
  ])("begins after %i steps with what counted before in the epoch", (start, counted) => {
    const resumed = new Coverage(plan, start);
    expect(resumed.counted).toBe(counted);
    takeStep(start, resumed);
    expect(resumed.counted).toBe(start % 2 === 0 ? 64 : 100);
  });

  test("knows the samples of the steps before", () => {
    const resumed = new Coverage(plan, 3);
    expect(() => resumed.accept(2, "dense", [{ level: 0, index: 0 }])).toThrow(/count twice/);
  });
});
