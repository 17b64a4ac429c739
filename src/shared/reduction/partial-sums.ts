import { invariant } from "../errors.ts";
import type { Vector, VectorMemory } from "../vector/vector-memory.ts";
import type { VectorPool } from "../vector/vector-pool.ts";
import { canonical, firstShard, nodeKey, parent, rootLevel, sibling, type TreeNode } from "./tree.ts";

interface PartialSum {
  readonly node: TreeNode;
  readonly sum: Vector;
}

/**
 * Sums one slice of a step's contributions along the aligned tree: workers use it to pre-add the shards they own, the
 * coordinator to finish the tree. Two siblings are added as soon as both are there, left += right.
 */
export class PartialSums {
  readonly #memory: VectorMemory;
  readonly #pool: VectorPool;
  readonly #sums = new Map<number, PartialSum>();
  #shardCount = 1;
  #isFinite = true;

  /** @param pool of vectors in this memory, as long as a contribution's slice */
  constructor(memory: VectorMemory, pool: VectorPool) {
    this.#memory = memory;
    this.#pool = pool;
  }

  /** False once adding finite numbers has given one that is not: so will the total be. */
  get isFinite(): boolean {
    return this.#isFinite;
  }

  /** Forgets all sums and starts on a step with this many shards. */
  reset(shardCount: number): void {
    for (const { sum } of this.#sums.values()) this.#pool.giveBack(sum);
    this.#sums.clear();
    this.#shardCount = shardCount;
    this.#isFinite = true;
  }

  /** A vector to fill and then either `add` or `discard`. Its contents are undefined. */
  borrow(): Vector {
    return this.#pool.borrow();
  }

  discard(vector: Vector): void {
    this.#pool.giveBack(vector);
  }

  /** Adds the sum of a node's shards; takes the borrowed vector back. Each shard must be added once only. */
  add(node: TreeNode, vector: Vector): void {
    let at = canonical(node, this.#shardCount);
    let sum = vector;
    while (at.level < rootLevel(this.#shardCount)) {
      const other = this.#sums.get(nodeKey(sibling(at)));
      if (other === undefined) break;
      this.#sums.delete(nodeKey(other.node));
      const [left, right] = at.index % 2 === 0 ? [sum, other.sum] : [other.sum, sum];
      if (!this.#memory.add(left, right)) this.#isFinite = false;
      this.#pool.giveBack(right);
      sum = left;
      at = canonical(parent(at), this.#shardCount);
    }
    invariant(!this.#sums.has(nodeKey(at)), `node ${at.level}/${at.index} was added twice`);
    this.#sums.set(nodeKey(at), { node: at, sum });
  }

  /** The sums that could not be added further, left to right. Vectors stay valid until `reset`. */
  partial(): readonly PartialSum[] {
    return [...this.#sums.values()].sort((a, b) => firstShard(a.node) - firstShard(b.node));
  }

  /** The sum over all shards. */
  total(): Vector {
    const [only, ...rest] = this.#sums.values();
    invariant(only !== undefined && rest.length === 0, "the tree is not complete");
    invariant(only.node.level === rootLevel(this.#shardCount), "the tree's root is missing");
    return only.sum;
  }
}
