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
import { FRESH_MEMORY, type PayloadMemory } from "../shared/transport/transport.ts";
import { adamFactors } from "./adam.ts";

/** Everything that a training step changes. `p` is the whole state vector; `m` and `v` cover the parameters. */
interface Version {
  readonly whole: Moments;
  readonly slices: Record<SliceName, Moments>;
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
  #current: Version;
  #next: Version;
  readonly #stepped = new Set<SliceName>();
  #sums: StepSums = { lossSum: 0, correct: 0 };
  #step = 0;
  readonly #ema: number;
  readonly #average: Vector;
  /** Immutable copies of slices as sent: a buffer that was sent must never change. */
  readonly #snapshots = new Map<string, Float32Array>();
  readonly #payloads: PayloadMemory;

  /**
   * @param state `[61_794]`, copied
   * @param ema how much of the average of the weights each step keeps, 0 (the average is the last step's) to below 1
   * @param payloads for the copies that are sent
   */
  constructor(memory: VectorMemory, state: Float32Array, ema = 0, payloads: PayloadMemory = FRESH_MEMORY) {
    this.#memory = memory;
    this.#payloads = payloads;
    this.#ema = ema;
    this.#average = memory.allocate(STATE_COUNT);
    this.#average.values.set(state);
    this.#current = allocateVersion(memory);
    this.#next = allocateVersion(memory);
    this.#current.whole.p.values.set(state);
  }

  /** Steps applied so far, which is also the version of the parameters. */
  get step(): number {
    return this.#step;
  }

  /** The committed state vector, `[61_794]`; a view that changes with the next commit. */
  get state(): Float32Array {
    return this.#current.whole.p.values;
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
    return this.#current.whole.m.values;
  }

  /** Adam's second moment, `[61_750]`. */
  get adamV(): Float32Array {
    return this.#current.whole.v.values;
  }

  /**
   * Computes one slice of the next version from the step's summed contributions.
   * @param sum the slice's sum over all shards
   */
  applySlice(name: SliceName, sum: Vector, learningRate: number): void {
    invariant(!this.#stepped.has(name), `slice ${name} of step ${this.#step} was applied twice`);
    const slice = SLICES[name];
    const old = this.#current.slices[name];
    const next = this.#next.slices[name];
    this.#memory.adam(old, sum, next, slice.parameterLength, adamFactors(learningRate, this.#step + 1));
    if (name === "dense") {
      moveStatistics(old.p.values, sum.values, next.p.values);
      this.#sums = { lossSum: sum.values[LOSS_IN_DENSE] ?? 0, correct: sum.values[CORRECT_IN_DENSE] ?? 0 };
    }
    this.#stepped.add(name);
  }

  /** Makes the next version the current one, and takes it into the average. */
  commit(): StepSums {
    invariant(this.#stepped.size === SLICE_NAMES.length, `step ${this.#step} was committed before all its slices`);
    [this.#current, this.#next] = [this.#next, this.#current];
    for (const name of SLICE_NAMES) this.#forget(snapshotKey(this.#step, name));
    this.#stepped.clear();
    this.#step += 1;
    this.#memory.blend(this.#average, this.#current.whole.p, averageKeep(this.#ema, this.#step));
    return this.#sums;
  }

  /**
   * A slice of the state vector as an immutable copy to send: of the current version, or of the next one where it has
   * been stepped already.
   */
  snapshot(version: number, name: SliceName): Float32Array {
    const key = snapshotKey(version, name);
    const known = this.#snapshots.get(key);
    if (known !== undefined) return known;
    const isNext = version === this.#step + 1 && this.#stepped.has(name);
    invariant(isNext || version === this.#step, `there is no version ${version} of slice ${name} to send`);
    const copy = this.#payloads.allocate(SLICES[name].stateLength);
    copy.set((isNext ? this.#next : this.#current).slices[name].p.values);
    this.#snapshots.set(key, copy);
    return copy;
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

function allocateVersion(memory: VectorMemory): Version {
  const whole = {
    p: memory.allocate(STATE_COUNT),
    m: memory.allocate(PARAMETER_COUNT),
    v: memory.allocate(PARAMETER_COUNT),
  };
  const slice = (name: SliceName): Moments => {
    const { start, stateLength, parameterLength } = SLICES[name];
    return {
      p: memory.part(whole.p, start, stateLength),
      m: memory.part(whole.m, start, parameterLength),
      v: memory.part(whole.v, start, parameterLength),
    };
  };
  return { whole, slices: { dense: slice("dense"), conv: slice("conv") } };
}

/** running = (1 - momentum) * running + momentum * batch, in float32, as PyTorch's BatchNorm2d. */
function moveStatistics(old: Float32Array, batch: Float32Array, next: Float32Array): void {
  const keep = Math.fround(1 - BATCH_NORM_MOMENTUM);
  const take = Math.fround(BATCH_NORM_MOMENTUM);
  for (let i = STATISTICS_IN_DENSE; i < STATISTICS_IN_DENSE + STATISTIC_COUNT; i++) {
    next[i] = Math.fround(Math.fround((old[i] ?? 0) * keep) + Math.fround((batch[i] ?? 0) * take));
  }
}
