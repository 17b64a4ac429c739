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
import { FRESH_MEMORY, type PayloadMemory } from "../shared/transport/transport.ts";
import { type Vector, VectorMemory } from "../shared/vector/vector-memory.ts";

/** Partial sums in the form in which they are sent. */
export interface SummedSlice {
  readonly nodes: readonly TreeNode[];
  /** One vector a node, not shared with anything: safe to send without a copy. */
  readonly sums: readonly Float32Array[];
}

/** Adds up what the shards of one assignment contribute, each slice on its own. */
export class ShardSums {
  readonly #sums: Record<SliceName, PartialSums>;

  constructor() {
    const memory = new VectorMemory();
    this.#sums = {
      dense: new PartialSums(memory, SLICES.dense.contributionLength),
      conv: new PartialSums(memory, SLICES.conv.contributionLength),
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

  /**
   * What is to be sent of a slice, copied out.
   * @param memory where to
   */
  take(slice: SliceName, memory: PayloadMemory = FRESH_MEMORY): SummedSlice {
    const partial = this.#sums[slice].partial();
    const copy = ({ values }: Vector): Float32Array => {
      const copied = memory.allocate(values.length);
      copied.set(values);
      return copied;
    };
    return { nodes: partial.map(({ node }) => node), sums: partial.map(({ sum }) => copy(sum)) };
  }
}
