import type { FaultKind } from "./fault-kinds.ts";

/** A time without a committed step. */
export interface Pause {
  readonly ms: number;
  /** What was done to the run shortly before it and in it, each kind once; empty when nothing was. */
  readonly causes: readonly FaultKind[];
}

/** A fault on its way through a run. */
export interface Disturbance {
  readonly kind: FaultKind;
  readonly fromMs: number;
  toMs: number;
}

/** The steps that were seen last may have been done before the fault: what ended so long before them does not count. */
const MEMORY_MS = 500;

/** Pure: how long a run stood still, and after what. All times are those of one clock, in ms. */
export class StepPauses {
  #lastStepAt: number;
  #step: { readonly life: number; readonly step: number } | undefined;
  #faults: Disturbance[] = [];
  #longest: Pause = { ms: 0, causes: [] };
  readonly #longestBy = new Map<FaultKind, number>();
  #steps = 0;

  constructor(at: number) {
    this.#lastStepAt = at;
  }

  /** A coordinator in its `life`-th life was seen after so many steps. */
  seen(at: number, life: number, step: number): void {
    const before = this.#step;
    this.#step = { life, step };
    if (before === undefined || before.life !== life || step <= before.step) return;
    this.#steps += step - before.step;
    this.#close(at);
    this.#lastStepAt = at;
  }

  /** A fault begins; whoever causes it sets its end. */
  begin(at: number, kind: FaultKind): Disturbance {
    const fault = { kind, fromMs: at, toMs: Infinity };
    this.#faults.push(fault);
    return fault;
  }

  /** It could not be done after all. */
  forget(fault: Disturbance): void {
    this.#faults = this.#faults.filter((each) => each !== fault);
  }

  /** Until now, in ms. */
  standingSince(at: number): number {
    return at - this.#lastStepAt;
  }

  /** Committed in all lives together; one that was done again counts again. */
  get steps(): number {
    return this.#steps;
  }

  get longest(): Pause {
    return this.#longest;
  }

  /** The run is over: without a last step, the time since the last one is a pause too. */
  end(at: number): void {
    this.#close(at);
  }

  /** The longest pause in which a kind took part, in ms. */
  get longestBy(): ReadonlyMap<FaultKind, number> {
    return this.#longestBy;
  }

  #close(at: number): void {
    const ms = at - this.#lastStepAt;
    // What is over, and was seen to be survived, explains no later pause.
    this.#faults = this.#faults.filter(({ toMs }) => toMs >= this.#lastStepAt - MEMORY_MS);
    const kinds = [...new Set(this.#faults.filter(({ fromMs }) => fromMs <= at).map(({ kind }) => kind))];
    for (const kind of kinds) this.#longestBy.set(kind, Math.max(ms, this.#longestBy.get(kind) ?? 0));
    if (ms > this.#longest.ms) this.#longest = { ms, causes: kinds };
  }
}
