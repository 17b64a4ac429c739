import type { Efficiency, Limit, TrainingEvent } from "../shared/events.ts";
import { type Measured, type Setting, summarise } from "./advice.ts";

/** The first steps are slower: compilers are at work, and memory is touched for the first time. */
const SKIPPED_STEPS = 50;
/** Fewer measured steps than this say more about chance than about the run. */
const LEAST_STEPS = 50;

/**
 * From this share of the workers' time on, computing itself is the limit: were all the rest done away with, the run would
 * be a quarter faster at most, which a larger batch or another number of workers hardly brings.
 */
const WELL_USED = 0.8;
/**
 * A coordinator that is busy for this share of the time is the limit, whatever its share of the waiting seems to be: what
 * comes to it at random then waits longer than it takes to be done (single-server queue: busy / (1 - busy) times its
 * own time, here more than twice).
 */
const BUSY_COORDINATOR = 0.7;
/**
 * A worker whose shards take this many times as long as the others' is a straggler. Cores of one machine differ by less,
 * even where one of them also runs the coordinator.
 */
const STRAGGLER = 1.5;
/** Workers whose compute times are kept apart; more come only where many come and go, and then none is to blame. */
const MAX_WORKERS = 512;

type Step = Extract<TrainingEvent, { type: "step" }>;

/** Measures how well workers are used, from the steps of a run. Pure. */
export class EfficiencyMeter {
  readonly #used: number;
  #steps = 0;
  /** On the clock on the wall. */
  #elapsedMs = 0;
  #coordinatorMs = 0;
  /** The workers' time: all there was, and what it went to. */
  #capacityMs = 0;
  #computeMs = 0;
  #gatherMs = 0;
  #tailMs = 0;
  #imbalanceMs = 0;
  #idleMs = 0;
  #shards = 0;
  #unevenSteps = 0;
  readonly #workers = new Map<string, { computeMs: number; shards: number; steps: number }>();

  /** @param used workers that are given work, if there are more; that the others stand by is not their idleness */
  constructor(used = Infinity) {
    this.#used = used;
  }

  record({ step, stepMs, workers: ready, phases: { workers, coordinator } }: Step): void {
    if (step <= SKIPPED_STEPS) return;
    let [slowestMs, workMs, most, fewest] = [0, 0, 0, Infinity];
    for (const { worker, shards, gatherMs, computeMs } of workers) {
      this.#gatherMs += gatherMs;
      this.#computeMs += computeMs;
      this.#shards += shards;
      workMs += gatherMs + computeMs;
      slowestMs = Math.max(slowestMs, gatherMs + computeMs);
      most = Math.max(most, shards);
      fewest = Math.min(fewest, shards);
      this.#add(worker, computeMs, shards);
    }
    const unused = Math.max(0, Math.min(ready, this.#used) - workers.length);
    this.#steps += 1;
    this.#elapsedMs += stepMs;
    this.#coordinatorMs += coordinator.decideMs + coordinator.reduceMs + coordinator.adamMs + coordinator.sendMs;
    this.#capacityMs += stepMs * (workers.length + unused);
    this.#tailMs += coordinator.tailMs * workers.length;
    this.#imbalanceMs += slowestMs * workers.length - workMs;
    this.#idleMs += stepMs * unused;
    if (most > fewest) this.#unevenSteps += 1;
  }

  /** @returns null when there were too few steps to tell */
  measure(setting: Setting): Efficiency | null {
    if (this.#steps < LEAST_STEPS || this.#elapsedMs === 0) return null;
    const told = this.#computeMs + this.#gatherMs + this.#tailMs + this.#imbalanceMs + this.#idleMs;
    // What overlaps, such as inputs made while the coordinator finishes the step before, is counted twice.
    const whole = Math.max(this.#capacityMs, told);
    const shares = {
      computing: this.#computeMs / whole,
      inputs: this.#gatherMs / whole,
      exchange: (whole - told) / whole,
      coordinator: this.#tailMs / whole,
      imbalance: this.#imbalanceMs / whole,
      idle: this.#idleMs / whole,
    };
    const workers = this.#capacityMs / this.#elapsedMs;
    const measured: Measured = {
      workers,
      workDone: workers * (shares.computing + shares.inputs),
      shards: this.#shards / this.#steps,
      straggler: this.#straggler(),
    };
    const limitedBy = this.#limit(shares, measured.straggler);
    return {
      limitedBy,
      summary: summarise(limitedBy, shares, measured, setting),
      steps: this.#steps,
      workers: rounded(measured.workers),
      workDone: rounded(measured.workDone),
      shares: {
        computing: rounded(shares.computing),
        inputs: rounded(shares.inputs),
        exchange: rounded(shares.exchange),
        coordinator: rounded(shares.coordinator),
        imbalance: rounded(shares.imbalance),
        idle: rounded(shares.idle),
      },
    };
  }

  /** The largest of the shares that is not computing, by its cause. */
  #limit(shares: Efficiency["shares"], straggler: Measured["straggler"]): Limit {
    const { computing, inputs, exchange, coordinator, imbalance, idle } = shares;
    if (computing >= WELL_USED) return "computing";
    const largest = Math.max(inputs, exchange, coordinator, imbalance, idle);
    if (largest === inputs) return "inputs";
    if (largest === idle) return "shards";
    if (largest === imbalance) {
      if (straggler !== undefined) return "straggler";
      return this.#unevenSteps > this.#steps / 2 ? "shards" : "imbalance";
    }
    const isBusy = this.#coordinatorMs / this.#elapsedMs >= BUSY_COORDINATOR;
    return largest === coordinator || isBusy ? "coordinator" : "exchange";
  }

  /** The slowest worker of those that took part in most steps, where the others are much faster. */
  #straggler(): Measured["straggler"] {
    const regulars = [...this.#workers].filter(([, { steps }]) => steps > this.#steps / 2);
    const paces = regulars.map(([name, { computeMs, shards }]) => ({
      name,
      computeMs,
      shards,
      pace: computeMs / shards,
    }));
    const [slowest, ...others] = paces.sort((a, b) => b.pace - a.pace);
    if (slowest === undefined || others.length === 0) return undefined;
    const sum = (key: "computeMs" | "shards"): number => others.reduce((total, each) => total + each[key], 0);
    const times = slowest.pace / (sum("computeMs") / sum("shards"));
    return times >= STRAGGLER ? { name: slowest.name, times } : undefined;
  }

  #add(name: string, computeMs: number, shards: number): void {
    const worker = this.#workers.get(name);
    if (worker !== undefined) {
      worker.computeMs += computeMs;
      worker.shards += shards;
      worker.steps += 1;
    } else if (this.#workers.size < MAX_WORKERS) {
      this.#workers.set(name, { computeMs, shards, steps: 1 });
    }
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
