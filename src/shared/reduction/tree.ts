/**
 * The aligned binary tree over a batch's shards that fixes the order of every addition.
 *
 * Node (level l, index i) stands for the sum over the shards from i * 2^l up to, not including, (i + 1) * 2^l, as far
 * as they exist; its value is always left child + right child. Whoever adds whatever first, the same pairs of numbers
 * are added, so the float32 sum has the same bits for any number of workers.
 *
 * With a shard count that is no power of two, nodes on the right edge have no right child and equal their left child.
 * Such a value is named by its highest equal node (the *canonical* one), so that each value has one name.
 */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Level of the node that covers all shards. */
export function rootLevel(shardCount: number): number {
  return 32 - Math.clz32(shardCount - 1);
}

/** First shard under a node. */
export function firstShard(node: TreeNode): number {
  return node.index * 2 ** node.level;
}

/** One past the last shard under a node. */
export function endShard(node: TreeNode, shardCount: number): number {
  return Math.min((node.index + 1) * 2 ** node.level, shardCount);
}

export function sibling(node: TreeNode): TreeNode {
  return { level: node.level, index: node.index ^ 1 };
}

export function parent(node: TreeNode): TreeNode {
  return { level: node.level + 1, index: node.index >>> 1 };
}

/** The highest node with the same shards. */
export function canonical(node: TreeNode, shardCount: number): TreeNode {
  let highest = node;
  while (highest.level < rootLevel(shardCount) && firstShard(sibling(highest)) >= shardCount) highest = parent(highest);
  return highest;
}

/** True for a node that the tree over `shardCount` shards has, in its canonical name. */
export function isNode(node: TreeNode, shardCount: number): boolean {
  return (
    node.level <= rootLevel(shardCount) &&
    firstShard(node) < shardCount &&
    canonical(node, shardCount).level === node.level
  );
}

/** A node as a map key, unique within a tree. */
export function nodeKey(node: TreeNode): number {
  return node.level * 65_536 + node.index;
}

/** The shards under these nodes, or undefined when one of them is not a node of the tree over `shardCount` shards. */
export function shardsUnder(nodes: readonly TreeNode[], shardCount: number): number[] | undefined {
  const shards: number[] = [];
  for (const node of nodes) {
    if (!isNode(node, shardCount)) return undefined;
    for (let shard = firstShard(node); shard < endShard(node, shardCount); shard++) shards.push(shard);
  }
  return shards;
}
