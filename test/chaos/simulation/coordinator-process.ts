import { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { eventText, effectText } from "../../../src/coordinator/machine/transcript.ts";
import { RunPlan } from "../../../src/coordinator/plan.ts";
import { requireSameRun } from "../../../src/coordinator/resumption.ts";
import { summarise } from "../../../src/shared/data/dataset.ts";
import type { Signal } from "../../../src/shared/errors.ts";
import type { TrainingResult } from "../../../src/shared/events.ts";
import type { CoordinatorTransport } from "../../../src/shared/transport/transport.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { RunInvariants } from "../../support/run-invariants.ts";
import type { Course } from "./course.ts";
import type { MemoryCheckpoints } from "./memory-checkpoints.ts";
import type { Scenario } from "./scenario.ts";

export interface CoordinatorProcessOptions {
  readonly scenario: Scenario;
  readonly clock: FakeClock;
  readonly transport: CoordinatorTransport;
  readonly checkpoints: MemoryCheckpoints;
  /** How many of the newest checkpoints cannot be read. */
  readonly damagedCheckpoints: number;
  /** How long the next checkpoint takes to be written. */
  readonly writingMs: () => number;
  readonly course: Course;
  readonly trace: (line: () => string) => void;
  readonly onStep: () => void;
  /** A message could not be read. */
  readonly onMalformed: () => void;
  /** The course was left, or the run has failed. */
  readonly onTrouble: (trouble: unknown) => void;
}

/** One life of the coordinator, which goes on where the last one's checkpoint is. */
export class CoordinatorProcess {
  readonly clock: FakeClock;
  result: TrainingResult | undefined;
  readonly #transport: CoordinatorTransport;
  readonly #coordinator: Coordinator;
  readonly #onTrouble: (trouble: unknown) => void;
  /** Each takes back something that it is about to be told. */
  readonly #untold: (() => void)[] = [];

  constructor(options: CoordinatorProcessOptions) {
    const { scenario, clock, transport, checkpoints, writingMs, course, trace, onStep, onMalformed, onTrouble } =
      options;
    [this.clock, this.#transport, this.#onTrouble] = [clock, transport, onTrouble];
    const { config } = scenario;
    const dataset = summarise(scenario.dataset);
    const resumption = checkpoints.load(options.damagedCheckpoints);
    if (resumption !== undefined) requireSameRun(config, dataset, new RunPlan(config, dataset), resumption);
    trace(() => `the coordinator starts at step ${resumption?.checkpoint.step ?? 0}`);
    let invariants: RunInvariants;
    this.#coordinator = new Coordinator({
      ...{ config, dataset, transport, clock, resumption, runDir: "runs/simulation" },
      checkpoints: checkpoints.sink(clock, writingMs),
      onEvent: (event) => {
        if (event.type === "rejected" && event.reason === "malformed") onMalformed();
        if (event.type === "step") onStep();
        this.#trying(() => course.event(event));
      },
      recording: {
        begin: ({ plan }) => {
          invariants = new RunInvariants(plan);
        },
        record: (event, effects = []) => {
          if (event.type !== "tick" || effects.length > 0) {
            trace(() => `  ${eventText(event)}`);
            for (const effect of effects) trace(() => `    ${effectText(effect)}`);
          }
          this.#trying(() => invariants.check(event, effects));
        },
      },
    });
  }

  /** Settles when it has ended by itself. */
  async run(): Promise<void> {
    try {
      this.result = await this.#coordinator.run();
    } catch (thrown) {
      this.#onTrouble(thrown);
    }
    for (const cancel of this.#untold) cancel();
  }

  interrupt(signal: Signal): void {
    this.#tell(() => this.#coordinator.interrupt(signal));
  }

  useWorkers(count: number): void {
    this.#tell(() => this.#coordinator.useWorkers(count));
  }

  /** Now, or once it is not frozen any more. */
  #tell(action: () => void): void {
    this.#untold.push(this.clock.after(0, action));
  }

  /** As SIGKILL does it. What it has not read yet is for whoever listens next, unless that is lost as well. */
  kill(): void {
    this.clock.stop();
    void this.#transport.close();
  }

  #trying(action: () => void): void {
    try {
      action();
    } catch (thrown) {
      this.#onTrouble(thrown);
    }
  }
}
