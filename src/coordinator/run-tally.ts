import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import type { Device, Faults, RunRecord, RunStart } from "../shared/run-record.ts";

/** A run that is started again and again keeps the newest of its earlier starts, and devices of as many kinds. */
const MAX_EARLIER_STARTS = 100;
const MAX_DEVICES = 64;

/** Counts what befalls one start of a run, for `result.json`. */
export class RunTally {
  readonly #startedAt: string;
  readonly #rejected = new Map<string, number>();
  readonly #devices = new Map<string, Device>();
  readonly #faults = {
    workersLost: 0,
    shardsReassigned: 0,
    workersLate: 0,
    shardsLate: 0,
    checkpointsFailed: 0,
    waits: 0,
  };

  /** @param startedAt ISO 8601 */
  constructor(startedAt: string) {
    this.#startedAt = startedAt;
  }

  record(event: TrainingEvent): void {
    const faults = this.#faults;
    switch (event.type) {
      case "worker-joined":
        return this.#join(event);
      case "worker-left":
        if (event.lost) faults.workersLost += 1;
        faults.shardsReassigned += event.shardsReassigned;
        return;
      case "worker-late":
        faults.workersLate += 1;
        faults.shardsLate += event.shards;
        return;
      case "rejected":
        this.#rejected.set(event.reason, (this.#rejected.get(event.reason) ?? 0) + 1);
        return;
      case "checkpoint-failed":
        faults.checkpointsFailed += 1;
        return;
      case "waiting":
        faults.waits += 1;
        return;
      default:
    }
  }

  /**
   * @param before what the start before this one left
   * @param endedAt ISO 8601
   */
  concluded(
    result: TrainingResult,
    software: RunRecord["software"],
    endedAt: string,
    before: RunRecord | undefined,
  ): RunRecord {
    const faults: Faults = { ...this.#faults, resultsRejected: Object.fromEntries(this.#rejected) };
    const earlier = before === undefined ? [] : [...before.earlier, startOf(before)];
    return {
      ...result,
      ...{ startedAt: this.#startedAt, endedAt, software, faults, devices: [...this.#devices.values()] },
      earlier: earlier.slice(-MAX_EARLIER_STARTS),
    };
  }

  #join({ engine, device, runtime, driver }: Extract<TrainingEvent, { type: "worker-joined" }>): void {
    const key = JSON.stringify([engine, device, runtime, driver]);
    const known = this.#devices.get(key);
    if (known === undefined && this.#devices.size >= MAX_DEVICES) return;
    this.#devices.set(key, { engine, device, runtime, driver, workers: (known?.workers ?? 0) + 1 });
  }
}

function startOf(record: RunRecord): RunStart {
  const { startedAt, endedAt, resumedFrom, steps, trainSeconds, interruptedBy, endedBy, faults, devices } = record;
  return { startedAt, endedAt, resumedFrom, steps, trainSeconds, interruptedBy, endedBy, faults, devices };
}
