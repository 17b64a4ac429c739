import { invariant } from "../shared/errors.ts";
import { type SliceName, SLICE_NAMES } from "../shared/model/contribution.ts";
import { endShard, firstShard, type TreeNode } from "../shared/reduction/tree.ts";
import type { RunPlan } from "./plan.ts";

/** A sample's mark for each slice that it has counted in. */
const MARKS = { dense: 1, conv: 2 } as const satisfies Record<SliceName, number>;

type CoveredPlan = Pick<
  RunPlan,
  "trainSamples" | "validationSamples" | "epochOf" | "shardCountOf" | "shard" | "samplesOfEpochBefore" | "batchSizeOf"
>;

/**
 * Counts, while a run goes on, what it promises: that every sample counts exactly once an epoch, in both slices of the
 * gradient. A sample is marked when a result that it is part of is added to the step's sums. Pure.
 */
export class Coverage {
  readonly #plan: CoveredPlan;
  /** By sample, of those held out as well, which never count: which slices it has counted in, in this epoch. */
  readonly #marks: Uint8Array;
  /** Marks of this epoch, by slice. */
  readonly #counted: Record<SliceName, number> = { dense: 0, conv: 0 };
  #epoch: number;
  #lost = 0;
  #repeated = 0;

  /** @param start steps done before: those of the epoch under way are taken to have counted as planned */
  constructor(plan: CoveredPlan, start = 0) {
    this.#plan = plan;
    this.#marks = new Uint8Array(plan.trainSamples + plan.validationSamples);
    this.#epoch = plan.epochOf(start);
    for (let step = start - 1; step >= 0 && plan.epochOf(step) === this.#epoch; step--) {
      for (let shard = 0; shard < plan.shardCountOf(step); shard++) {
        for (const slice of SLICE_NAMES) this.#count(slice, plan.shard(step, shard).samples);
      }
    }
  }

  /** Samples that have counted in both slices, in the epoch of the last result. */
  get counted(): number {
    return Math.min(this.#counted.dense, this.#counted.conv);
  }

  /** Samples that should have counted in the steps that are done, and did not. */
  get lost(): number {
    return this.#lost;
  }

  /** Samples that counted more than once in an epoch. */
  get repeated(): number {
    return this.#repeated;
  }

  /**
   * The sums under these nodes are added to the step's.
   * @throws Error when a sample has counted before
   */
  accept(step: number, slice: SliceName, nodes: readonly TreeNode[]): void {
    const epoch = this.#plan.epochOf(step);
    if (epoch !== this.#epoch) this.#beginEpoch(epoch);
    const shards = this.#plan.shardCountOf(step);
    for (const node of nodes) {
      for (let shard = firstShard(node); shard < endShard(node, shards); shard++) {
        this.#count(slice, this.#plan.shard(step, shard).samples);
      }
    }
  }

  /**
   * The step is done: the samples of its epoch up to here must have counted, which after the last step are all.
   * @throws Error when they have not
   */
  stepDone(step: number): void {
    const expected = this.#plan.samplesOfEpochBefore(step) + this.#plan.batchSizeOf(step);
    for (const slice of SLICE_NAMES) {
      const counted = this.#counted[slice];
      if (counted === expected) continue;
      this.#lost += Math.max(0, expected - counted);
      invariant(false, `after step ${step} ${counted} samples have counted, expected ${expected} (slice ${slice})`);
    }
  }

  #beginEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#marks.fill(0);
    for (const slice of SLICE_NAMES) this.#counted[slice] = 0;
  }

  #count(slice: SliceName, samples: Uint32Array): void {
    const mark = MARKS[slice];
    const marks = this.#marks;
    let fresh = 0;
    for (let i = 0; i < samples.length; i++) {
      const sample = samples[i]!;
      const before = marks[sample];
      if (before === undefined || (before & mark) !== 0) continue;
      marks[sample] = before | mark;
      fresh += 1;
    }
    const repeated = samples.length - fresh;
    this.#counted[slice] += fresh;
    this.#repeated += repeated;
    invariant(repeated === 0, `${repeated} samples count twice in one epoch (slice ${slice})`);
  }
}
