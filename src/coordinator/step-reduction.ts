import { LockstepError } from "../shared/errors.ts";
import { type SliceName, SLICE_NAMES, SLICES } from "../shared/model/contribution.ts";
import { floatsInto, type Frames } from "../shared/protocol/codec.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import type { TreeNode } from "../shared/reduction/tree.ts";
import type { Vector, VectorMemory } from "../shared/vector/vector-memory.ts";

/**
 * Finishes a step's reduction tree from what workers send: a result's numbers are first staged, and count once the
 * machine has accepted the result.
 */
export class StepReduction {
  readonly #memory: VectorMemory;
  readonly #sums: Record<SliceName, PartialSums>;
  #staged: { readonly slice: SliceName; readonly vectors: readonly Vector[] } | undefined;

  constructor(memory: VectorMemory) {
    this.#memory = memory;
    this.#sums = {
      dense: new PartialSums(memory, SLICES.dense.contributionLength),
      conv: new PartialSums(memory, SLICES.conv.contributionLength),
    };
  }

  begin(shardCount: number): void {
    for (const slice of SLICE_NAMES) this.#sums[slice].reset(shardCount);
  }

  /** Copies a result's payload to where it can be added. Returns whether all of it is finite. */
  stage(slice: SliceName, payload: Frames): boolean {
    const vectors = payload.map((frame) => {
      const vector = this.#sums[slice].borrow();
      floatsInto(vector.values, frame);
      return vector;
    });
    this.#staged = { slice, vectors };
    return vectors.every((vector) => this.#memory.allFinite(vector));
  }

  /** Adds what is staged. @param nodes what each staged vector is the sum of */
  accept(nodes: readonly TreeNode[]): void {
    if (this.#staged === undefined) return;
    const { slice, vectors } = this.#staged;
    this.#staged = undefined;
    for (const [i, vector] of vectors.entries()) {
      const node = nodes[i];
      if (node !== undefined) this.#sums[slice].add(node, vector);
    }
  }

  /** Drops what is staged and was not accepted. */
  discard(): void {
    if (this.#staged === undefined) return;
    for (const vector of this.#staged.vectors) this.#sums[this.#staged.slice].discard(vector);
    this.#staged = undefined;
  }

  /**
   * The batch's sum of a slice.
   * @throws LockstepError "diverged" when finite shard sums add up to more than float32 holds
   */
  total(slice: SliceName): Vector {
    const total = this.#sums[slice].total();
    if (!this.#memory.allFinite(total)) {
      throw new LockstepError("diverged", "the sum of the shards' gradients is not finite: try a smaller --lr");
    }
    return total;
  }
}
