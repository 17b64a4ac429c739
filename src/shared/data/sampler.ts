/**
 * Which samples make up which batch and which shard.
 *
 * An epoch is a random order of all samples, cut into batches, each cut into shards. None of it depends on workers.
 */

import { invariant } from "../errors.ts";
import { STREAMS, below, randomWords } from "../random.ts";

/**
 * The order in which an epoch visits the samples: every index from 0 to `count` - 1 exactly once.
 *
 * Durstenfeld's form of the Fisher-Yates shuffle (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2P).
 */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(count / 4) * 4);
  randomWords(seed, STREAMS.shuffle, epoch, 0, words);
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  for (let last = count - 1; last > 0; last--) {
    const chosen = below(last + 1, words[last]!);
    const sample = order[chosen]!;
    order[chosen] = order[last]!;
    order[last] = sample;
  }
  return order;
}

/** Positions in an epoch's order, from `start` up to, not including, `end`. */
export interface SampleRange {
  readonly start: number;
  readonly end: number;
}

/** How an epoch of `samples` samples is cut. The last batch, and the last shard of any batch, may be short. */
export class BatchPlan {
  readonly samples: number;
  readonly batchSize: number;
  readonly shardSize: number;
  /** Steps counted from 0 within an epoch stay below this. */
  readonly stepsPerEpoch: number;

  constructor(samples: number, batchSize: number, shardSize: number) {
    for (const [name, value] of Object.entries({ samples, batchSize, shardSize })) {
      invariant(Number.isSafeInteger(value) && value > 0, `${name} ${value} is not a positive integer`);
    }
    this.samples = samples;
    this.batchSize = batchSize;
    this.shardSize = shardSize;
    this.stepsPerEpoch = Math.ceil(samples / batchSize);
  }

  /** Samples in the global batch of a step. */
  batchSizeOf(stepInEpoch: number): number {
    invariant(
      Number.isSafeInteger(stepInEpoch) && stepInEpoch >= 0 && stepInEpoch < this.stepsPerEpoch,
      `step ${stepInEpoch} is not one of the epoch's ${this.stepsPerEpoch}`,
    );
    return Math.min(this.batchSize, this.samples - stepInEpoch * this.batchSize);
  }

  /** Shards in the global batch of a step. */
  shardCountOf(stepInEpoch: number): number {
    return Math.ceil(this.batchSizeOf(stepInEpoch) / this.shardSize);
  }

  /** Where a shard's samples stand in the epoch's order. */
  shardRange(stepInEpoch: number, shard: number): SampleRange {
    const count = this.shardCountOf(stepInEpoch);
    invariant(Number.isSafeInteger(shard) && shard >= 0 && shard < count, `shard ${shard} is not one of ${count}`);
    const batchStart = stepInEpoch * this.batchSize;
    const start = batchStart + shard * this.shardSize;
    return { start, end: Math.min(start + this.shardSize, batchStart + this.batchSizeOf(stepInEpoch)) };
  }
}
