import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import type { Setting } from "./advice.ts";
import { EfficiencyMeter } from "./efficiency.ts";

/** Sums up a run from its events, for the result. */
export class RunStatistics {
  readonly #startedAt: number;
  readonly #setting: Setting;
  #efficiency = new EfficiencyMeter();
  #firstStepAt: number | undefined;
  #lastAt: number;
  #epochs = 0;
  #steps = 0;
  #samples = 0;
  #epochLossSum = 0;
  #epochSamples = 0;
  #epochCorrect = 0;
  #testAccuracy: number | null = null;
  #testErrors: number | null = null;
  #workers = 0;
  #workersLost = 0;
  #shardsReassigned = 0;
  readonly #engines = new Set<string>();

  /** @param startedAt in ms */
  constructor(startedAt: number, setting: Setting) {
    this.#startedAt = startedAt;
    this.#setting = setting;
    this.#lastAt = startedAt;
  }

  /** Training samples since the epoch began. */
  get epochSamples(): number {
    return this.#epochSamples;
  }

  /** Mean loss over the current epoch's samples so far, or over the last epoch's. */
  get trainLoss(): number | null {
    return this.#epochSamples === 0 ? null : this.#epochLossSum / this.#epochSamples;
  }

  /** Share of the same samples that were classified correctly. */
  get trainAccuracy(): number | null {
    return this.#epochSamples === 0 ? null : this.#epochCorrect / this.#epochSamples;
  }

  /** @param at in ms, by the same clock */
  record(event: TrainingEvent, at: number): void {
    switch (event.type) {
      case "step":
        if (event.stepInEpoch === 1) {
          this.#epochLossSum = 0;
          this.#epochSamples = 0;
          this.#epochCorrect = 0;
        }
        this.#firstStepAt ??= at - event.stepMs;
        this.#lastAt = at;
        this.#steps = event.step;
        this.#samples += event.samples;
        this.#epochLossSum += event.loss * event.samples;
        this.#epochSamples += event.samples;
        this.#epochCorrect += event.correct;
        this.#efficiency.record(event);
        break;
      case "epoch":
        this.#lastAt = at;
        this.#epochs = event.epoch;
        this.#testAccuracy = event.testAccuracy;
        this.#testErrors = event.testErrors;
        break;
      case "workers-chosen":
        // The steps before were there to find that out.
        this.#efficiency = new EfficiencyMeter(event.workers);
        break;
      case "worker-joined":
        this.#workers = Math.max(this.#workers, event.workers);
        this.#engines.add(event.engine);
        break;
      case "worker-left":
        this.#shardsReassigned += event.shardsReassigned;
        if (event.lost) this.#workersLost += 1;
        break;
      default:
    }
  }

  /** @param endedAt in ms, by the same clock */
  result(
    endedAt: number,
    rest: Pick<TrainingResult, "weightsSha256" | "runDir" | "checkpoint" | "interruptedBy">,
  ): TrainingResult {
    const trainSeconds = (this.#lastAt - (this.#firstStepAt ?? this.#lastAt)) / 1000;
    return {
      testAccuracy: this.#testAccuracy,
      testErrors: this.#testErrors,
      trainLoss: this.trainLoss,
      epochs: this.#epochs,
      steps: this.#steps,
      samples: this.#samples,
      trainSeconds,
      wallSeconds: (endedAt - this.#startedAt) / 1000,
      samplesPerSecond: trainSeconds > 0 ? this.#samples / trainSeconds : 0,
      workers: this.#workers,
      workersLost: this.#workersLost,
      shardsReassigned: this.#shardsReassigned,
      engine: this.engine,
      efficiency: this.#efficiency.measure(this.#setting),
      ...rest,
    };
  }

  /** The engines that computed, in words: normally one. */
  get engine(): string {
    return [...this.#engines].sort().join("+") || "none";
  }
}
