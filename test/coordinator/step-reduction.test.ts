import { beforeEach, describe, expect, test } from "vitest";
import { StepReduction } from "../../src/coordinator/step-reduction.ts";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { bytesOf } from "../../src/shared/protocol/codec.ts";
import { SharedPool } from "../../src/shared/transport/shared-pool.ts";
import { FRESH_MEMORY } from "../../src/shared/transport/transport.ts";
import { sharedMemory, VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { expectSameBits, randomVector } from "../support/floats.ts";

const LENGTH = SLICES.conv.contributionLength;
const contributions = [1, 2, 3].map((seed) => randomVector(LENGTH, seed));
const leaf = (index: number) => ({ level: 0, index });

/** (c0 + c1) + c2, rounded after each addition. */
function treeSum(): Float32Array {
  const [a, b, c] = contributions as [Float32Array, Float32Array, Float32Array];
  return a.map((value, i) => Math.fround(Math.fround(value + b[i]!) + c[i]!));
}

function give(reduction: StepReduction, index: number, frame: Uint8Array): void {
  expect(reduction.stage("conv", [frame])).toBe(true);
  reduction.accept([leaf(index)]);
}

describe.each(["copies", "frames of shared memory"])("a reduction of %s", (kind) => {
  const isShared = kind !== "copies";
  /** A worker's pool and the coordinator's, over one memory. */
  let pools: [worker: SharedPool, coordinator: SharedPool];
  let reduction: StepReduction;

  beforeEach(() => {
    const memory = sharedMemory();
    pools = [new SharedPool(memory), new SharedPool(memory)];
    reduction = isShared
      ? new StepReduction(pools[1].vectors, pools[1])
      : new StepReduction(new VectorMemory(), FRESH_MEMORY);
    reduction.begin(3);
  });

  /** A contribution as it arrives. What the worker allocated is given back as soon as it was sent. */
  function frameOf(index: number): Uint8Array {
    if (!isShared) return bytesOf(contributions[index]!.slice());
    const [worker, coordinator] = pools;
    const vector = worker.allocate(LENGTH);
    vector.set(contributions[index]!);
    worker.release(vector);
    return bytesOf(coordinator.vectors.at(vector.byteOffset, LENGTH).values);
  }

  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ])("adds %i, %i, %i along the tree", (...order) => {
    for (const index of order) give(reduction, index, frameOf(index));
    expectSameBits(reduction.total("conv").values, treeSum());
  });

  test("does not count what was staged and not accepted", () => {
    reduction.stage("conv", [frameOf(2)]);
    reduction.discard();
    for (const index of [0, 1, 2]) give(reduction, index, frameOf(index));
    expectSameBits(reduction.total("conv").values, treeSum());
  });

  test("says when a frame is not finite", () => {
    const frame = frameOf(0);
    new Float32Array(frame.buffer, frame.byteOffset, LENGTH)[LENGTH - 1] = NaN;
    expect(reduction.stage("conv", [frame])).toBe(false);
  });

  test("refuses finite contributions whose sum is not, in a step, and not in the next one", () => {
    for (const index of [0, 1, 2]) {
      const frame = frameOf(index);
      new Float32Array(frame.buffer, frame.byteOffset, LENGTH)[7] = 3e38;
      give(reduction, index, frame);
    }
    expect(() => reduction.total("conv")).toThrow(/not finite: try a smaller --lr/);
    reduction.begin(3);
    for (const index of [0, 1, 2]) give(reduction, index, frameOf(index));
    expectSameBits(reduction.total("conv").values, treeSum());
  });
});

test("vectors of shared memory are added where they lie, and free again with the next step", () => {
  const memory = sharedMemory();
  const [worker, coordinator] = [new SharedPool(memory), new SharedPool(memory)];
  const reduction = new StepReduction(coordinator.vectors, coordinator);
  reduction.begin(2);
  const sent = [0, 1].map((index) => {
    const vector = worker.allocate(LENGTH);
    vector.set(contributions[index]!);
    give(reduction, index, bytesOf(coordinator.vectors.at(vector.byteOffset, LENGTH).values));
    worker.release(vector);
    return vector.byteOffset;
  });
  expect(sent).toContain(reduction.total("conv").values.byteOffset);
  const total = sent.indexOf(reduction.total("conv").values.byteOffset);
  expect(worker.allocate(LENGTH).byteOffset, "the other one is free").toBe(sent[1 - total]);
  expect(sent).not.toContain(worker.allocate(LENGTH).byteOffset);
  reduction.begin(2);
  expect(worker.allocate(LENGTH).byteOffset).toBe(sent[total]);
});

test("a frame that came as a copy is added among those of shared memory", () => {
  const pool = new SharedPool(sharedMemory());
  const reduction = new StepReduction(pool.vectors, pool);
  reduction.begin(3);
  for (const index of [0, 1, 2]) give(reduction, index, bytesOf(contributions[index]!.slice()));
  expectSameBits(reduction.total("conv").values, treeSum());
});
