import type { Checkpoint } from "../../src/shared/checkpoint.ts";
import { Coordinator } from "../../src/coordinator/coordinator.ts";
import type { CheckpointSink } from "../../src/coordinator/run-checkpoints.ts";
import type { Resumption } from "../../src/coordinator/resumption.ts";
import { systemClock } from "../../src/shared/clock.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { type Dataset, summarise } from "../../src/shared/data/dataset.ts";
import type { TrainingEvent, TrainingResult } from "../../src/shared/events.ts";
import type { CoordinatorTransport, WorkerTransport } from "../../src/shared/transport/transport.ts";
import type { Engine } from "../../src/worker/engines/engine.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { Worker, type WorkerEnd } from "../../src/worker/worker.ts";

export interface FleetOptions {
  readonly config: Partial<TrainConfig>;
  readonly dataset: Dataset;
  readonly workers: number;
  readonly coordinator: CoordinatorTransport;
  /** Where checkpoints go; kept in memory if not given. */
  readonly checkpoints?: CheckpointSink;
  /** Where to go on from. */
  readonly resumption?: Resumption;
  /** Connects one worker's end to the coordinator. */
  readonly connect: () => WorkerTransport;
  /** Makes the engine of the i-th worker; the wasm engine if not given. */
  readonly engine?: (worker: number) => Promise<Engine>;
  /** Is told everything, and may let workers come and go. */
  readonly onEvent?: (event: TrainingEvent, fleet: Fleet) => void;
}

/** What a run in one process came to. */
export interface FleetRun {
  readonly result: TrainingResult;
  readonly events: readonly TrainingEvent[];
  readonly checkpoints: readonly Checkpoint[];
  readonly ends: readonly WorkerEnd[];
}

/** A coordinator and workers in this process, each with everything that it has as a process of its own. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #workers: {
    readonly worker: Worker;
    readonly transport: WorkerTransport;
    readonly end: Promise<WorkerEnd>;
  }[] = [];
  #started = 0;
  readonly #coordinator: Coordinator;
  readonly #events: TrainingEvent[] = [];
  readonly #checkpoints: Checkpoint[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#coordinator = new Coordinator({
      config: configFrom("train", options.config),
      ...{
        dataset: summarise(options.dataset),
        transport: options.coordinator,
        clock: systemClock,
        runDir: "runs/test",
      },
      checkpoints: options.checkpoints ?? {
        save: (checkpoint) => void this.#checkpoints.push(copyOf(checkpoint)),
        saveLast: (checkpoint) => {
          this.#checkpoints.push(copyOf(checkpoint));
          return Promise.resolve(`checkpoint ${checkpoint.step}`);
        },
        settled: () => Promise.resolve(),
      },
      resumption: options.resumption,
      onEvent: (event) => {
        this.#events.push(event);
        options.onEvent?.(event, this);
      },
    });
  }

  async run(): Promise<FleetRun> {
    const finished = this.#coordinator.run();
    for (let i = 0; i < this.#options.workers; i++) await this.join();
    const result = await finished;
    const ends = await Promise.all(this.#workers.map(({ end }) => end));
    return { result, events: this.#events, checkpoints: this.#checkpoints, ends };
  }

  async join(): Promise<void> {
    const engine = await (this.#options.engine ?? (() => createEngine("wasm")))(this.#started);
    this.#started += 1;
    const transport = this.#options.connect();
    const worker = new Worker({
      ...{ transport, address: this.#options.coordinator.address, dataset: this.#options.dataset, clock: systemClock },
      ...{ engine, coordinatorTimeoutMs: 20_000, say: () => {} },
    });
    this.#workers.push({ worker, transport, end: worker.run() });
  }

  /** The first worker's connection breaks in the midst of whatever it does, without a word to anyone. */
  async crashFirst(): Promise<void> {
    const [first] = this.#workers.splice(0, 1);
    await first?.transport.close();
    // What it still computes is sent nowhere; end it, so that it does not live on.
    first?.worker.interrupt("SIGTERM");
    await first?.end;
  }

  /** The first worker says that it is leaving. */
  leaveFirst(): void {
    this.#workers.splice(0, 1)[0]?.worker.interrupt("SIGTERM");
  }

  interrupt(signal: "SIGINT" | "SIGTERM"): void {
    this.#coordinator.interrupt(signal);
  }
}

/** The coordinator goes on to change what it saves. */
function copyOf(checkpoint: Checkpoint): Checkpoint {
  const { state, latest, adamM, adamV } = checkpoint;
  const copies = { state: state.slice(), latest: latest.slice(), adamM: adamM.slice(), adamV: adamV.slice() };
  return { ...checkpoint, ...copies };
}
