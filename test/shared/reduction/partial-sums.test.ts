import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartialSums } from "../../../src/shared/reduction/partial-sums.ts";
import { endShard, firstShard, isNode, type TreeNode } from "../../../src/shared/reduction/tree.ts";
import { VectorMemory } from "../../../src/shared/vector/vector-memory.ts";
import { privatePool } from "../../../src/shared/vector/vector-pool.ts";
import { expectSameBits, roughFloat } from "../../support/floats.ts";

const LENGTH = 5;

const memory = new VectorMemory();
const coordinator = new PartialSums(memory, privatePool(memory, LENGTH));
const worker = new PartialSums(memory, privatePool(memory, LENGTH));

function addTo(sums: PartialSums, node: TreeNode, values: Float32Array): void {
  const vector = sums.borrow();
  vector.values.set(values);
  sums.add(node, vector);
}

const leaf = (index: number): TreeNode => ({ level: 0, index });

/** The definition, by recursion: left child + right child, or the left one alone. */
function treeSum(shards: readonly Float32Array[]): Float32Array {
  const sumOf = (level: number, index: number): Float32Array | undefined => {
    if (level === 0) return shards[index];
    const [left, right] = [sumOf(level - 1, 2 * index), sumOf(level - 1, 2 * index + 1)];
    if (left === undefined || right === undefined) return left;
    return left.map((value, i) => Math.fround(value + right[i]!));
  };
  return sumOf(Math.ceil(Math.log2(shards.length)), 0)!;
}

/** What one process makes of the shards, added in the given order. */
function oneProcessSum(shards: readonly Float32Array[], order: readonly number[]): Float32Array {
  coordinator.reset(shards.length);
  for (const index of order) addTo(coordinator, leaf(index), shards[index]!);
  return coordinator.total().values.slice();
}

interface Message {
  readonly node: TreeNode;
  readonly sum: Float32Array;
}

/** What a worker sends for the shards it owns, computed in this order. */
function workerMessages(shards: readonly Float32Array[], owned: readonly number[]): Message[] {
  worker.reset(shards.length);
  for (const index of owned) addTo(worker, leaf(index), shards[index]!);
  return worker.partial().map(({ node, sum }) => ({ node, sum: sum.values.slice() }));
}

const shardsArbitrary = fc
  .array(fc.array(roughFloat, { minLength: LENGTH, maxLength: LENGTH }), { minLength: 1, maxLength: 70 })
  .map((shards) => shards.map((values) => Float32Array.from(values)));

const permutation = (count: number): fc.Arbitrary<number[]> => {
  const all = Array.from({ length: count }, (_, i) => i);
  return fc.shuffledSubarray(all, { minLength: count, maxLength: count });
};

/** Shards with an owner for each: anyone, or contiguous runs as the coordinator cuts them. */
const assignment = shardsArbitrary.chain((shards) => {
  const scattered = fc.array(fc.nat(8), { minLength: shards.length, maxLength: shards.length });
  const contiguous = scattered.map((owners) => owners.toSorted((a, b) => a - b));
  return fc.record({
    shards: fc.constant(shards),
    owners: fc.oneof(scattered, contiguous),
    computeOrder: permutation(shards.length),
    arrivalSeed: fc.infiniteStream(fc.nat(1_000)),
  });
});

describe("the two-stage sum", () => {
  test("has the bits of the recursive definition, for every assignment and every order", () => {
    fc.assert(
      fc.property(assignment, ({ shards, owners, computeOrder, arrivalSeed }) => {
        const messages = [...new Set(owners)].flatMap((owner) =>
          workerMessages(
            shards,
            computeOrder.filter((index) => owners[index] === owner),
          ),
        );
        const arrival = messages.map((message) => ({ message, key: arrivalSeed.next().value }));
        arrival.sort((a, b) => a.key - b.key);
        coordinator.reset(shards.length);
        for (const { message } of arrival) addTo(coordinator, message.node, message.sum);
        const expected = treeSum(shards);
        expectSameBits(coordinator.total().values, expected, "two-stage sum");
        expectSameBits(oneProcessSum(shards, computeOrder), expected, "one-process sum");
      }),
      { numRuns: 400 },
    );
  });

  test("sends the shards that it owns exactly, left to right, in canonical nodes", () => {
    fc.assert(
      fc.property(assignment, ({ shards, owners }) => {
        for (const owner of new Set(owners)) {
          const owned = owners.flatMap((other, index) => (other === owner ? [index] : []));
          const nodes = workerMessages(shards, owned).map(({ node }) => node);
          const covered = nodes.flatMap((node) => {
            const first = firstShard(node);
            return Array.from({ length: endShard(node, shards.length) - first }, (_, i) => first + i);
          });
          expect(covered).toEqual(owned);
          expect(nodes.every((node) => isNode(node, shards.length))).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("of a contiguous run takes at most two nodes a level", () => {
    const shards = Array.from({ length: 64 }, () => new Float32Array(LENGTH));
    const run = Array.from({ length: 62 }, (_, i) => i + 1);
    expect(workerMessages(shards, run).length).toBeLessThanOrEqual(2 * 6);
    expect(workerMessages(shards, [...run, 0, 63])).toHaveLength(1);
  });
});

test("the order of additions shows in these numbers, so that a wrong order would be found", () => {
  const shards = [1, 2 ** -24, 2 ** -24].map((value) => new Float32Array(LENGTH).fill(value));
  // (a + b) + c rounds both small numbers away; a + (b + c) keeps them. The tree adds a + b first.
  expect(oneProcessSum(shards, [1, 2, 0])[0]).toBe(1);
  expect(treeSum(shards)[0]).toBe(1);
  expect(oneProcessSum([shards[1]!, shards[2]!, shards[0]!], [2, 1, 0])[0]).toBe(Math.fround(1 + 2 ** -23));
});

describe("what must not happen", () => {
  const values = new Float32Array(LENGTH).fill(1);

  test("the same node twice throws", () => {
    coordinator.reset(4);
    addTo(coordinator, leaf(2), values);
    expect(() => addTo(coordinator, leaf(2), values)).toThrow("node 0/2 was added twice");
  });

  test("another name of the same node throws", () => {
    coordinator.reset(3);
    addTo(coordinator, leaf(2), values);
    expect(() => addTo(coordinator, { level: 1, index: 1 }, values)).toThrow("node 1/1 was added twice");
  });

  test("a shard counted twice never makes a total", () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 40 })
          .chain((count) => fc.tuple(permutation(count), fc.nat(count - 1), fc.nat(count))),
        ([order, again, at]) => {
          const attempt = (): void => {
            coordinator.reset(order.length);
            for (const index of order.toSpliced(at, 0, again)) addTo(coordinator, leaf(index), values);
            coordinator.total();
          };
          expect(attempt).toThrow("broken invariant");
        },
      ),
    );
  });

  test("a missing shard makes no total", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 70 }).chain((count) => fc.tuple(fc.constant(count), fc.nat(count - 1))),
        ([count, missing]) => {
          coordinator.reset(count);
          for (let index = 0; index < count; index++) if (index !== missing) addTo(coordinator, leaf(index), values);
          expect(() => coordinator.total()).toThrow("broken invariant: the tree");
        },
      ),
    );
  });

  test("nothing at all makes no total", () => {
    coordinator.reset(1);
    expect(() => coordinator.total()).toThrow("the tree is not complete");
  });
});

test("vectors are used again: what was discarded, added to another, or left from the last step", () => {
  const sums = new PartialSums(memory, privatePool(memory, LENGTH));
  const seen = new Set<unknown>();
  for (let step = 0; step < 10; step++) {
    sums.reset(8);
    const discarded = sums.borrow();
    seen.add(discarded);
    sums.discard(discarded);
    for (let index = 0; index < 8; index++) {
      const vector = sums.borrow();
      seen.add(vector);
      vector.values.fill(index);
      sums.add(leaf(index), vector);
    }
    expect([...sums.total().values]).toEqual(Array.from({ length: LENGTH }, () => 28));
  }
  // In order, at most one sum a level waits, beside the one that is being filled.
  expect(seen.size).toBeLessThanOrEqual(4);
});
