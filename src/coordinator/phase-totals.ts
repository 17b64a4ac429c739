import type { StepPhases, WorkerPhases } from "../shared/events.ts";

/** Workers that have left and are still told apart, so that what they did last is seen before it is folded. */
const DEPARTED_APART = 16;
/** Workers told apart at most; a fleet has fewer. */
const MAX_APART = 512;

/** The name under which workers go that left long ago. A lifetime is added at once: its rate means nothing. */
export const GONE = "gone";
/** The name under which workers go that are too many to be told apart. It grows as they work, and by nothing else. */
export const OTHER = "other";

const WORKER_PHASES = ["wait", "gather", "compute", "wire"] as const;
export type WorkerPhase = (typeof WORKER_PHASES)[number];
export type WorkerTotals = Record<WorkerPhase, number>;

/** Adds up the phases of a run's steps, in ms, and the shards. The number of names stays bounded, and no total falls: it may end, and go on in `GONE`. */
export class PhaseTotals {
  readonly workers = new Map<string, WorkerTotals>();
  /** By worker, under the same names. */
  readonly shards = new Map<string, number>();
  readonly coordinator = { decide: 0, reduce: 0, adam: 0, send: 0 };
  /** The longest gone first. */
  readonly #departed: string[] = [];

  add({ workers, coordinator }: StepPhases): void {
    for (const worker of workers) this.#addWorker(worker);
    this.coordinator.decide += coordinator.decideMs;
    this.coordinator.reduce += coordinator.reduceMs;
    this.coordinator.adam += coordinator.adamMs;
    this.coordinator.send += coordinator.sendMs;
  }

  departed(worker: string): void {
    this.#departed.push(worker);
    if (this.#departed.length <= DEPARTED_APART) return;
    const name = this.#departed.shift()!;
    const last = this.workers.get(name);
    if (last === undefined) return;
    this.workers.delete(name);
    const gone = this.#totalsOf(GONE);
    for (const phase of WORKER_PHASES) gone[phase] += last[phase];
    this.#addShards(GONE, this.shards.get(name) ?? 0);
    this.shards.delete(name);
  }

  #addWorker({ worker, shards, waitMs, gatherMs, computeMs, wireMs }: WorkerPhases): void {
    const isKnown = this.workers.has(worker) || this.workers.size < MAX_APART;
    const name = isKnown ? worker : OTHER;
    this.#addShards(name, shards);
    const totals = this.#totalsOf(name);
    totals.wait += waitMs;
    totals.gather += gatherMs;
    totals.compute += computeMs;
    totals.wire += wireMs;
  }

  #addShards(name: string, count: number): void {
    this.shards.set(name, (this.shards.get(name) ?? 0) + count);
  }

  #totalsOf(name: string): WorkerTotals {
    let totals = this.workers.get(name);
    if (totals === undefined) {
      totals = { wait: 0, gather: 0, compute: 0, wire: 0 };
      this.workers.set(name, totals);
    }
    return totals;
  }
}
