import type { ShardGradient } from "./engines/engine.ts";
import {
  CORRECT_IN_DENSE,
  LOSS_IN_DENSE,
  type SliceName,
  SLICES,
  STATISTICS_IN_DENSE,
  writeStatistics,
} from "../shared/model/contribution.ts";
import { STATISTIC_COUNT } from "../shared/model/lenet5.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import type { TreeNode } from "../shared/reduction/tree.ts";
import { poolFor } from "../shared/transport/payload-pool.ts";
import { FRESH_MEMORY, type PayloadMemory } from "../shared/transport/transport.ts";
import { type Vector, VectorMemory } from "../shared/vector/vector-memory.ts";

/** Partial sums in the form in which they are sent. */
export interface SummedSlice {
  readonly nodes: readonly TreeNode[];
  /** One vector a node, which nobody writes to before it is released: safe to send without a copy. */
  readonly sums: readonly Float32Array[];
}

/** Adds up what the shards of one assignment contribute, each slice on its own. */
export class ShardSums {
  readonly #payloads: PayloadMemory;
  readonly #sums: Record<SliceName, PartialSums>;

  /** @param payloads of the vectors that `take` gives */
  constructor(payloads: PayloadMemory = FRESH_MEMORY) {
    this.#payloads = payloads;
    const memory = payloads.vectors ?? new VectorMemory();
    this.#sums = {
      dense: new PartialSums(memory, poolFor(payloads, memory, SLICES.dense.contributionLength)),
      conv: new PartialSums(memory, poolFor(payloads, memory, SLICES.conv.contributionLength)),
    };
  }

  reset(shardCount: number): void {
    this.#sums.dense.reset(shardCount);
    this.#sums.conv.reset(shardCount);
  }

  /** Adds a shard's dense gradient, statistics, loss and correct count. */
  addDense(shard: number, gradient: ShardGradient, count: number, globalCount: number): void {
    const { start, parameterLength } = SLICES.dense;
    const vector = this.#sums.dense.borrow();
    const { values } = vector;
    values.set(gradient.gradient.subarray(start, start + parameterLength));
    const statistics = values.subarray(STATISTICS_IN_DENSE, STATISTICS_IN_DENSE + STATISTIC_COUNT);
    writeStatistics(statistics, gradient.batchMean, gradient.batchVar, count, globalCount);
    values[LOSS_IN_DENSE] = gradient.lossSum;
    values[CORRECT_IN_DENSE] = gradient.correct;
    this.#sums.dense.add({ level: 0, index: shard }, vector);
  }

  /** Adds a shard's convolution gradient. */
  addConv(shard: number, gradient: ShardGradient): void {
    const { start, parameterLength } = SLICES.conv;
    const vector = this.#sums.conv.borrow();
    vector.values.set(gradient.gradient.subarray(start, start + parameterLength));
    this.#sums.conv.add({ level: 0, index: shard }, vector);
  }

  /** What is to be sent of a slice, once all its shards are added. Each vector is to be released to the payloads' memory. */
  take(slice: SliceName): SummedSlice {
    const partial = this.#sums[slice].partial();
    return { nodes: partial.map(({ node }) => node), sums: partial.map(({ sum }) => this.#toSend(sum)) };
  }

  #toSend({ values }: Vector): Float32Array {
    if (this.#payloads.vectors !== undefined) {
      this.#payloads.retain(values);
      return values;
    }
    const copy = this.#payloads.allocate(values.length);
    copy.set(values);
    return copy;
  }
}
