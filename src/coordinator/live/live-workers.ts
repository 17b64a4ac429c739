import type { TrainingEvent, WorkerPhases } from "../../shared/events.ts";
import type { LiveWorker, WorkerState } from "./page/protocol.ts";

type Joined = Extract<TrainingEvent, { type: "worker-joined" }>;
type Left = Extract<TrainingEvent, { type: "worker-left" }>;
type Late = Extract<TrainingEvent, { type: "worker-late" }>;

/** What the coordinator knows of a worker that is there. */
export interface PresentWorker {
  readonly name: string;
  readonly host: string;
  readonly engine: string;
  readonly device: string;
  readonly state: Exclude<WorkerState, "left" | "lost">;
  /** What a shard takes it, smoothed, in ms. */
  readonly shardMs: number | undefined;
}

/** Rows at most; a fleet has fewer workers. */
const MAX_WORKERS = 512;
/** Those that are gone are shown for a while: the last so many of them. */
const MAX_DEPARTED = 16;

interface Tally {
  readonly name: string;
  readonly host: string;
  readonly device: string;
  gone: "left" | "lost" | undefined;
  shards: number;
  shardsLate: number;
}

/** The table of workers: those that the coordinator has, and what events have told of these and of earlier ones. */
export class LiveWorkers {
  /** By name; those that are gone after each other, the longest gone first. */
  readonly #tallies = new Map<string, Tally>();

  joined({ worker, host, engine, device }: Joined): void {
    const known = this.#tallies.get(worker);
    if (known !== undefined) known.gone = undefined;
    else if (this.#tallies.size < MAX_WORKERS) {
      const place = { name: worker, host, device: inWords(engine, device) };
      this.#tallies.set(worker, { ...place, gone: undefined, shards: 0, shardsLate: 0 });
    }
  }

  left({ worker, lost, shardsReassigned }: Left): void {
    const tally = this.#tallies.get(worker);
    if (tally === undefined) return;
    tally.gone = lost ? "lost" : "left";
    tally.shardsLate += shardsReassigned;
    this.#tallies.delete(worker);
    this.#tallies.set(worker, tally);
    const departed = [...this.#tallies.values()].filter(({ gone }) => gone !== undefined);
    if (departed.length > MAX_DEPARTED) this.#tallies.delete(departed[0]!.name);
  }

  late({ worker, shards }: Late): void {
    const tally = this.#tallies.get(worker);
    if (tally !== undefined) tally.shardsLate += shards;
  }

  step(workers: readonly WorkerPhases[]): void {
    for (const { worker, shards } of workers) {
      const tally = this.#tallies.get(worker);
      if (tally !== undefined) tally.shards += shards;
    }
  }

  /** Those that are there, in the coordinator's order; then those that are gone, the last lost one first. */
  rows(present: readonly PresentWorker[]): LiveWorker[] {
    const here = new Set(present.map(({ name }) => name));
    const rows = present.slice(0, MAX_WORKERS).map(({ name, host, engine, device, state, shardMs }): LiveWorker => {
      const { shards, shardsLate } = this.#tallies.get(name) ?? { shards: 0, shardsLate: 0 };
      const rounded = shardMs === undefined ? null : Number(shardMs.toPrecision(4));
      return { name, host, device: inWords(engine, device), state, shards, shardMs: rounded, shardsLate };
    });
    const absent = [...this.#tallies.values()].filter(({ name }) => !here.has(name));
    // At the end the coordinator lets all of them go, which is no event.
    const released = absent.filter(({ gone }) => gone === undefined);
    const departed = absent.filter(({ gone }) => gone !== undefined).toReversed();
    for (const { gone, ...tally } of [...released, ...departed]) {
      rows.push({ ...tally, state: gone ?? "left", shardMs: null });
    }
    return rows;
  }
}

function inWords(engine: string, device: string): string {
  return device === "" ? engine : `${engine} on ${device}`;
}
