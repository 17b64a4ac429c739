import { LockstepError } from "../shared/errors.ts";
import { type SliceName, SLICE_NAMES, SLICES } from "../shared/model/contribution.ts";
import { floatsInto, type Frames } from "../shared/protocol/codec.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import type { TreeNode } from "../shared/reduction/tree.ts";
import { poolFor } from "../shared/transport/payload-pool.ts";
import type { PayloadMemory } from "../shared/transport/transport.ts";
import type { Vector, VectorMemory } from "../shared/vector/vector-memory.ts";
import { clipGradient } from "./gradient-clipping.ts";

/**
 * Finishes a step's reduction tree from what workers send: a result's numbers are first staged, and count once the
 * machine has accepted the result.
 */
export class StepReduction {
  readonly #memory: VectorMemory;
  readonly #payloads: PayloadMemory;
  readonly #sums: Record<SliceName, PartialSums>;
  #gradientNorm: number | null = null;
  #staged: { readonly slice: SliceName; readonly vectors: readonly Vector[] } | undefined;

  /** @param payloads of the transport: where its vectors lie in `memory`, they are added where they are */
  constructor(memory: VectorMemory, payloads: PayloadMemory) {
    this.#memory = memory;
    this.#payloads = payloads;
    this.#sums = {
      dense: new PartialSums(memory, poolFor(payloads, memory, SLICES.dense.contributionLength)),
      conv: new PartialSums(memory, poolFor(payloads, memory, SLICES.conv.contributionLength)),
    };
  }

  begin(shardCount: number): void {
    for (const slice of SLICE_NAMES) this.#sums[slice].reset(shardCount);
    this.#gradientNorm = null;
  }

  /** Takes a result's payload to where it can be added. Returns whether all of it is finite. */
  stage(slice: SliceName, payload: Frames): boolean {
    const vectors = payload.map((frame) => this.#take(slice, frame));
    this.#staged = { slice, vectors };
    return vectors.every((vector) => this.#memory.allFinite(vector));
  }

  #take(slice: SliceName, frame: Uint8Array): Vector {
    if (frame.buffer === this.#memory.memory.buffer) {
      this.#payloads.retain(frame);
      return this.#memory.at(frame.byteOffset, frame.byteLength / Float32Array.BYTES_PER_ELEMENT);
    }
    const vector = this.#sums[slice].borrow();
    floatsInto(vector.values, frame);
    return vector;
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
   * Clips the batch's gradient, once both slices are complete; only the first time in a step.
   * @param maxNorm undefined: not at all
   * @throws LockstepError "diverged" as `total` does
   */
  clip(maxNorm: number | undefined): void {
    if (maxNorm === undefined || this.#gradientNorm !== null) return;
    this.#gradientNorm = clipGradient({ dense: this.total("dense"), conv: this.total("conv") }, maxNorm);
  }

  /** Of the step's gradient before it was clipped; null until then, and where it is not clipped. */
  get gradientNorm(): number | null {
    return this.#gradientNorm;
  }

  /**
   * The batch's sum of a slice.
   * @throws LockstepError "diverged" when finite shard sums add up to more than float32 holds
   */
  total(slice: SliceName): Vector {
    if (!this.#sums[slice].isFinite) {
      throw new LockstepError("diverged", "the sum of the shards' gradients is not finite: try a smaller --lr");
    }
    return this.#sums[slice].total();
  }
}
