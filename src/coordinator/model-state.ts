import type { Checkpoint } from "../shared/checkpoint.ts";
import { invariant } from "../shared/errors.ts";
import {
  CORRECT_IN_DENSE,
  LOSS_IN_DENSE,
  type SliceName,
  SLICE_NAMES,
  SLICES,
  STATISTICS_IN_DENSE,
} from "../shared/model/contribution.ts";
import { BATCH_NORM_MOMENTUM, PARAMETER_COUNT, STATE_COUNT, STATISTIC_COUNT } from "../shared/model/lenet5.ts";
import type { Moments, Vector, VectorMemory } from "../shared/vector/vector-memory.ts";
import type { VectorPool } from "../shared/vector/vector-pool.ts";
import { poolFor } from "../shared/transport/payload-pool.ts";
import { FRESH_MEMORY, type PayloadMemory } from "../shared/transport/transport.ts";
import { adamFactors } from "./adam.ts";
import { decay } from "./weight-decay.ts";

/** A version's slices. `p` is the slice of the state vector; `m` and `v` cover its parameters. */
type Version = Record<SliceName, Moments>;

/** Adam's moments of one version, as a whole and by slices. */
interface MomentCopy {
  readonly m: Vector;
  readonly v: Vector;
  readonly slices: Record<SliceName, Pick<Moments, "m" | "v">>;
}

/** What the summed contributions of a step say besides the gradient. */
export interface StepSums {
  /** Sum over the batch, in nats. */
  readonly lossSum: number;
  readonly correct: number;
}

/**
 * The one writable copy of the model: state vector and Adam's moments, at version `step` (the number of steps applied).
 *
 * A step is written slice by slice into a second copy while the first stays whole: until the last slice is in, the step
 * can still be computed again on the old parameters, or be dropped. `commit` swaps the two.
 */
export class ModelState {
  readonly #memory: VectorMemory;
  readonly #pools: Record<SliceName, VectorPool>;
  #current: Version;
  /** The slices of the next version that were stepped. */
  readonly #next: Record<SliceName, Moments | undefined> = { dense: undefined, conv: undefined };
  #moments: MomentCopy;
  #nextMoments: MomentCopy;
  #sums: StepSums = { lossSum: 0, correct: 0 };
  #step = 0;
  readonly #ema: number;
  readonly #average: Vector;
  /** The average's slices. */
  readonly #averages: Record<SliceName, Vector>;
  /** Immutable copies of slices as sent, where the slices themselves cannot be sent. */
  readonly #snapshots = new Map<string, Float32Array>();
  readonly #payloads: PayloadMemory;

  /**
   * @param state `[61_794]`, copied
   * @param ema how much of the average of the weights each step keeps, 0 (the average is the last step's) to below 1
   * @param payloads of the transport: where they lie in `memory`, slices are sent as they are, otherwise as copies
   */
  constructor(memory: VectorMemory, state: Float32Array, ema = 0, payloads: PayloadMemory = FRESH_MEMORY) {
    this.#memory = memory;
    this.#payloads = payloads;
    this.#ema = ema;
    this.#average = memory.allocate(STATE_COUNT);
    this.#average.values.set(state);
    this.#averages = bySlice((name) => memory.part(this.#average, SLICES[name].start, SLICES[name].stateLength));
    this.#pools = bySlice((name) => poolFor(payloads, memory, SLICES[name].stateLength));
    this.#moments = allocateMoments(memory);
    this.#nextMoments = allocateMoments(memory);
    this.#current = bySlice((name) => {
      const p = this.#pools[name].borrow();
      p.values.set(this.#averages[name].values);
      return { p, ...this.#moments.slices[name] };
    });
  }

  /** Goes on from a checkpoint's state; before the first step, and before any slice was sent. */
  restore({ step, state, latest, adamM, adamV }: Checkpoint): void {
    invariant(this.#step === 0 && this.#snapshots.size === 0, "a model that is in use was to be restored");
    this.#step = step;
    this.#average.values.set(state);
    this.#moments.m.values.set(adamM);
    this.#moments.v.values.set(adamV);
    for (const name of SLICE_NAMES) {
      const { start, stateLength } = SLICES[name];
      this.slice(name).set(latest.subarray(start, start + stateLength));
    }
  }

  /** Steps applied so far, which is also the version of the parameters. */
  get step(): number {
    return this.#step;
  }

  /** The committed state vector, `[61_794]`; a copy. */
  get state(): Float32Array {
    const state = new Float32Array(STATE_COUNT);
    for (const name of SLICE_NAMES) state.set(this.slice(name), SLICES[name].start);
    return state;
  }

  /** A slice of the committed state vector; a view that is valid until the next commit. */
  slice(name: SliceName): Float32Array {
    return this.#current[name].p.values;
  }

  /**
   * The exponential moving average of the state vector over the steps (Polyak and Juditsky 1992), `[61_794]`: what is
   * evaluated and saved. A view that changes with the next step.
   */
  get average(): Float32Array {
    return this.#average.values;
  }

  /** Adam's first moment, `[61_750]`. */
  get adamM(): Float32Array {
    return this.#moments.m.values;
  }

  /** Adam's second moment, `[61_750]`. */
  get adamV(): Float32Array {
    return this.#moments.v.values;
  }

  /**
   * Computes one slice of the next version from the step's summed contributions.
   * @param sum the slice's sum over all shards
   * @param weightDecay AdamW's: see `decay`
   */
  applySlice(name: SliceName, sum: Vector, learningRate: number, weightDecay = 0): void {
    invariant(this.#next[name] === undefined, `slice ${name} of step ${this.#step} was applied twice`);
    const old = this.#current[name];
    const next = { p: this.#pools[name].borrow(), ...this.#nextMoments.slices[name] };
    const p = weightDecay === 0 ? old.p : decay(this.#memory, name, old.p, next.p, learningRate * weightDecay);
    const { parameterLength } = SLICES[name];
    this.#memory.adam({ ...old, p }, sum, next, parameterLength, adamFactors(learningRate, this.#step + 1));
    if (name === "dense") {
      moveStatistics(old.p.values, sum.values, next.p.values);
      this.#sums = { lossSum: sum.values[LOSS_IN_DENSE] ?? 0, correct: sum.values[CORRECT_IN_DENSE] ?? 0 };
    }
    this.#next[name] = next;
  }

  /** Makes the next version the current one, and takes it into the average. */
  commit(): StepSums {
    const { dense, conv } = this.#next;
    invariant(dense !== undefined && conv !== undefined, `step ${this.#step} was committed before all its slices`);
    for (const name of SLICE_NAMES) {
      this.#forget(snapshotKey(this.#step, name));
      this.#pools[name].giveBack(this.#current[name].p);
      this.#next[name] = undefined;
    }
    this.#current = { dense, conv };
    [this.#moments, this.#nextMoments] = [this.#nextMoments, this.#moments];
    this.#step += 1;
    const keep = averageKeep(this.#ema, this.#step);
    for (const name of SLICE_NAMES) this.#memory.blend(this.#averages[name], this.#current[name].p, keep);
    return this.#sums;
  }

  /**
   * A slice of the state vector to send, which nobody writes to before all have read it: of the current version, or of
   * the next one where it has been stepped already.
   */
  snapshot(version: number, name: SliceName): Float32Array {
    const { p } = this.#slicesOf(version)[name] ?? {};
    invariant(p !== undefined, `there is no version ${version} of slice ${name} to send`);
    if (this.#payloads.vectors === this.#memory) return p.values;
    const key = snapshotKey(version, name);
    const known = this.#snapshots.get(key);
    if (known !== undefined) return known;
    const copy = this.#payloads.allocate(SLICES[name].stateLength);
    copy.set(p.values);
    this.#snapshots.set(key, copy);
    return copy;
  }

  #slicesOf(version: number): Partial<Record<SliceName, Moments | undefined>> {
    if (version === this.#step) return this.#current;
    return version === this.#step + 1 ? this.#next : {};
  }

  #forget(key: string): void {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) return;
    this.#snapshots.delete(key);
    this.#payloads.release(snapshot);
  }

  /** The same of the average, for evaluation. */
  averageSnapshot(name: SliceName): Float32Array {
    const { start, stateLength } = SLICES[name];
    return this.average.slice(start, start + stateLength);
  }
}

/**
 * How much of the average survives a step. It grows towards `ema` from the early steps on, so that the initial weights
 * are soon forgotten (the rule of TensorFlow's ExponentialMovingAverage with num_updates).
 * @param step from 1
 */
function averageKeep(ema: number, step: number): number {
  return Math.min(ema, (1 + step) / (10 + step));
}

function snapshotKey(version: number, name: SliceName): string {
  return `${version}/${name}`;
}

function allocateMoments(memory: VectorMemory): MomentCopy {
  const [m, v] = [memory.allocate(PARAMETER_COUNT), memory.allocate(PARAMETER_COUNT)];
  const slices = bySlice((name) => {
    const { start, parameterLength } = SLICES[name];
    return { m: memory.part(m, start, parameterLength), v: memory.part(v, start, parameterLength) };
  });
  return { m, v, slices };
}

function bySlice<Part>(part: (name: SliceName) => Part): Record<SliceName, Part> {
  return { dense: part("dense"), conv: part("conv") };
}

/** running = (1 - momentum) * running + momentum * batch, in float32, as PyTorch's BatchNorm2d. */
function moveStatistics(old: Float32Array, batch: Float32Array, next: Float32Array): void {
  const keep = Math.fround(1 - BATCH_NORM_MOMENTUM);
  const take = Math.fround(BATCH_NORM_MOMENTUM);
  for (let i = STATISTICS_IN_DENSE; i < STATISTICS_IN_DENSE + STATISTIC_COUNT; i++) {
    next[i] = Math.fround(Math.fround((old[i] ?? 0) * keep) + Math.fround((batch[i] ?? 0) * take));
  }
}
