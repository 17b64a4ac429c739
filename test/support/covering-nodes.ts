import {
  canonical,
  firstShard,
  nodeKey,
  parent,
  rootLevel,
  sibling,
  type TreeNode,
} from "../../src/shared/reduction/tree.ts";

/** The nodes whose sums a worker sends for these shards: what `PartialSums` comes to, without the numbers. */
export function coveringNodes(shards: readonly number[], shardCount: number): TreeNode[] {
  const open = new Map<number, TreeNode>();
  for (const shard of shards) {
    let node = canonical({ level: 0, index: shard }, shardCount);
    while (node.level < rootLevel(shardCount) && open.delete(nodeKey(sibling(node)))) {
      node = canonical(parent(node), shardCount);
    }
    open.set(nodeKey(node), node);
  }
  return [...open.values()].sort((a, b) => firstShard(a) - firstShard(b));
}
