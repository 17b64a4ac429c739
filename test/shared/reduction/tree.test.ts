import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonical,
  endShard,
  firstShard,
  isNode,
  nodeKey,
  parent,
  rootLevel,
  sibling,
  type TreeNode,
} from "../../../src/shared/reduction/tree.ts";

const shardCounts = fc.integer({ min: 1, max: 2_048 });

/** Every pair of level and index with at least one shard under it. */
function allNodes(shardCount: number): TreeNode[] {
  return Array.from({ length: rootLevel(shardCount) + 1 }, (_, level) => level).flatMap((level) =>
    Array.from({ length: Math.ceil(shardCount / 2 ** level) }, (_, index) => ({ level, index })),
  );
}

const range = (node: TreeNode, shardCount: number) => [firstShard(node), endShard(node, shardCount)];

test.each([
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 3],
  [8, 3],
  [9, 4],
  [2_048, 11],
])("the root over %i shards has level %i", (shardCount, level) => {
  expect(rootLevel(shardCount)).toBe(level);
  expect(range({ level, index: 0 }, shardCount)).toEqual([0, shardCount]);
});

describe("canonical", () => {
  test.each([
    { shardCount: 1, node: { level: 0, index: 0 }, named: { level: 0, index: 0 } },
    { shardCount: 3, node: { level: 0, index: 2 }, named: { level: 1, index: 1 } },
    { shardCount: 5, node: { level: 0, index: 4 }, named: { level: 2, index: 1 } },
    { shardCount: 5, node: { level: 0, index: 3 }, named: { level: 0, index: 3 } },
    { shardCount: 7, node: { level: 0, index: 6 }, named: { level: 1, index: 3 } },
    { shardCount: 8, node: { level: 0, index: 7 }, named: { level: 0, index: 7 } },
  ])("of $node over $shardCount shards is $named", ({ shardCount, node, named }) => {
    expect(canonical(node, shardCount)).toEqual(named);
  });

  test("names the same shards, is its own canonical name, and has no higher equal", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (shardCount) => {
        for (const node of allNodes(shardCount)) {
          const named = canonical(node, shardCount);
          expect(range(named, shardCount)).toEqual(range(node, shardCount));
          expect(canonical(named, shardCount)).toEqual(named);
          if (named.level < rootLevel(shardCount)) {
            expect(range(parent(named), shardCount)).not.toEqual(range(named, shardCount));
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test("gives each set of shards one name, and each name one key", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (shardCount) => {
        const nodes = allNodes(shardCount).filter((node) => isNode(node, shardCount));
        expect(new Set(nodes.map((node) => range(node, shardCount).join())).size).toBe(nodes.length);
        expect(new Set(nodes.map(nodeKey)).size).toBe(nodes.length);
        // A binary tree with n leaves in which every other node has two children.
        expect(nodes.length).toBe(2 * shardCount - 1);
      }),
      { numRuns: 40 },
    );
  });
});

describe("isNode", () => {
  test("holds for the canonical names alone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (shardCount) => {
        for (const node of allNodes(shardCount)) {
          const named = canonical(node, shardCount);
          expect(isNode(named, shardCount)).toBe(true);
          expect(isNode(node, shardCount)).toBe(named.level === node.level);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("refuses what lies outside the tree", () => {
    fc.assert(
      fc.property(shardCounts, fc.nat(16), fc.nat(4_096), (shardCount, level, index) => {
        const outside = level > rootLevel(shardCount) || index * 2 ** level >= shardCount;
        if (outside) expect(isNode({ level, index }, shardCount)).toBe(false);
      }),
    );
  });
});

test("a node's shards are its children's, and siblings share a parent", () => {
  fc.assert(
    fc.property(shardCounts, fc.nat(10), fc.nat(2_047), (shardCount, level, index) => {
      const node = { level, index };
      fc.pre(firstShard(node) < shardCount);
      expect(sibling(sibling(node))).toEqual(node);
      expect(parent(sibling(node))).toEqual(parent(node));
      const [left, right] = index % 2 === 0 ? [node, sibling(node)] : [sibling(node), node];
      expect(firstShard(left)).toBe(firstShard(parent(node)));
      if (firstShard(right) < shardCount) {
        expect(endShard(left, shardCount)).toBe(firstShard(right));
        expect(endShard(right, shardCount)).toBe(endShard(parent(node), shardCount));
      }
    }),
  );
});
