import { invariant } from "../shared/errors.ts";
import { type SliceName, SLICE_NAMES, SLICES } from "../shared/model/contribution.ts";
import { floatsInto, type Frames } from "../shared/protocol/codec.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import type { TreeNode } from "../shared/reduction/tree.ts";
import { type Vector, VectorMemory } from "../shared/vector/vector-memory.ts";
import { privatePool, type VectorPool } from "../shared/vector/vector-pool.ts";

/** What is to be sent of a slice: whole subtrees. */
interface Summed {
  readonly nodes: readonly TreeNode[];
  /** One vector a node, new each time, so that it can be sent without a copy. */
  readonly sums: readonly Float32Array[];
}

/**
 * Adds up what those below send, for each task and slice along the same tree as everyone does. A result's numbers are
 * first staged, and count once the machine has accepted the result.
 */
export class TaskSums {
  readonly #memory = new VectorMemory();
  readonly #pools: Record<SliceName, VectorPool>;
  readonly #tasks = new Map<number, Record<SliceName, PartialSums>>();
  #staged: { readonly slice: SliceName; readonly vectors: readonly Vector[] } | undefined;

  constructor() {
    const poolOf = (slice: SliceName): VectorPool => privatePool(this.#memory, SLICES[slice].contributionLength);
    this.#pools = { dense: poolOf("dense"), conv: poolOf("conv") };
  }

  /** @param shardCount of the whole step: it fixes the tree */
  open(task: number, shardCount: number): void {
    const sumsOf = (slice: SliceName): PartialSums => new PartialSums(this.#memory, this.#pools[slice]);
    const sums = { dense: sumsOf("dense"), conv: sumsOf("conv") };
    for (const slice of SLICE_NAMES) sums[slice].reset(shardCount);
    this.#tasks.set(task, sums);
  }

  close(task: number): void {
    for (const slice of SLICE_NAMES) this.#tasks.get(task)?.[slice].reset(1);
    this.#tasks.delete(task);
  }

  /** Takes a result's payload to where it can be added. Returns whether all of it is finite. */
  stage(slice: SliceName, payload: Frames): boolean {
    const vectors = payload.map((frame) => {
      const vector = this.#pools[slice].borrow();
      floatsInto(vector.values, frame);
      return vector;
    });
    this.#staged = { slice, vectors };
    return vectors.every((vector) => this.#memory.allFinite(vector));
  }

  /** Adds what is staged. @param nodes what each staged vector is the sum of */
  accept(task: number, nodes: readonly TreeNode[]): void {
    if (this.#staged === undefined) return;
    const { slice, vectors } = this.#staged;
    this.#staged = undefined;
    for (const [i, vector] of vectors.entries()) {
      const node = nodes[i];
      if (node !== undefined) this.#of(task, slice).add(node, vector);
    }
  }

  /** Drops what is staged and was not accepted. */
  discard(): void {
    if (this.#staged === undefined) return;
    for (const vector of this.#staged.vectors) this.#pools[this.#staged.slice].giveBack(vector);
    this.#staged = undefined;
  }

  /** What is to be sent of a slice, once all its shards are added. */
  take(task: number, slice: SliceName): Summed {
    const partial = this.#of(task, slice).partial();
    return { nodes: partial.map(({ node }) => node), sums: partial.map(({ sum }) => sum.values.slice()) };
  }

  #of(task: number, slice: SliceName): PartialSums {
    const sums = this.#tasks.get(task)?.[slice];
    invariant(sums !== undefined, `task ${task} of the relay is not open`);
    return sums;
  }
}
