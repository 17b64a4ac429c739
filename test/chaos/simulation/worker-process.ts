import type { MemoryWorkerTransport, Passage } from "../../../src/shared/transport/memory.ts";
import type { Signal } from "../../../src/shared/errors.ts";
import type { SliceName } from "../../../src/shared/model/contribution.ts";
import { Worker, type WorkerEnd } from "../../../src/worker/worker.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import type { Draws } from "../draws.ts";
import { NoiseEngine } from "./noise-engine.ts";
import type { Scenario } from "./scenario.ts";

/** What becomes of messages in one direction. */
export type Link = "open" | "lost" | "held";

export interface WorkerProcessOptions {
  readonly name: string;
  readonly scenario: Scenario;
  readonly clock: FakeClock;
  readonly end: MemoryWorkerTransport;
  readonly draws: Draws;
  readonly trace: (line: () => string) => void;
  /** A number that is not finite was computed. */
  readonly onSpoilt: () => void;
}

/** Longest that a worker waits for a coordinator. */
export const COORDINATOR_TIMEOUT_MS = 20_000;
/** The message of a device that fails because it was told to. */
export const FAILURE = "the device was told to fail";

/** One worker, as in a process of its own: with its clock, its data, its engine and its end of the network. */
export class WorkerProcess {
  readonly name: string;
  readonly clock: FakeClock;
  readonly end: MemoryWorkerTransport;
  readonly link: Record<Passage["direction"], Link> = { "to-coordinator": "open", "to-worker": "open" };
  /** How many times as long as usual it takes for its work. */
  slowness = 1;
  /** In which slices the next gradient is to have a NaN. */
  spoils: readonly SliceName[] = [];
  /** Its device fails. */
  fails = false;
  /** Its device computes something else than others. */
  errs = false;
  /** It was asked to leave. */
  leaving = false;
  readonly #worker: Worker;

  constructor({ name, scenario, clock, end, draws, trace, onSpoilt }: WorkerProcessOptions) {
    [this.name, this.clock, this.end] = [name, clock, end];
    const usualMs = draws.pick([0, 0.3, 2, 20]);
    const engine = new NoiseEngine({
      errs: () => this.errs,
      pause: () => {
        const ms = usualMs * this.slowness * draws.between(0.5, 1.5);
        return ms > 0 ? clock.sleep(ms) : undefined;
      },
      tellsDense: () => draws.uniform() < 0.9,
      spoils: () => {
        const { spoils } = this;
        if (spoils.length > 0) onSpoilt();
        this.spoils = [];
        return spoils;
      },
      check: () => {
        if (this.fails) throw new Error(FAILURE);
      },
    });
    const { dataset } = scenario;
    const say = (text: string): void => trace(() => `${name} says: ${text}`);
    const options = { engine, dataset, clock, say, address: "memory:", coordinatorTimeoutMs: COORDINATOR_TIMEOUT_MS };
    this.#worker = new Worker({ transport: end, ...options });
  }

  /** @returns how it has ended by itself; never, when it is killed */
  run(): Promise<WorkerEnd> {
    return this.#worker.run();
  }

  /** Now, or once it is not frozen any more. */
  interrupt(signal: Signal): void {
    this.leaving = true;
    this.clock.after(0, () => this.#worker.interrupt(signal));
  }

  /** As SIGKILL does it: from one moment to the next, nothing of it is left. */
  kill(): void {
    this.clock.stop();
    void this.end.close();
  }
}
