import type { TrainingConfig } from "../shared/config.ts";
import type { Evaluation, TrainingEvent } from "../shared/events.ts";
import { isMeasured } from "./gradient-norm.ts";
import type { Correct, Effect } from "./machine/types.ts";
import type { StepSums } from "./model-state.ts";
import type { RunPlan } from "./plan.ts";
import type { RunStatistics } from "./run-statistics.ts";
import { learningRate } from "./schedule.ts";

type StepEvent = Extract<TrainingEvent, { type: "step" }>;
type Measured = Pick<StepEvent, "samplesCounted" | "gradientNorm" | "stepMs" | "workers" | "phases">;

/** What is told of a run's start, its steps and its epochs. */
export class RunEvents {
  readonly #config: TrainingConfig;
  readonly #plan: RunPlan;
  readonly #statistics: RunStatistics;
  #hasStarted = false;
  /** Of the epoch under way, as far as this process has trained it. */
  #epoch = { ms: 0, samples: 0 };

  constructor(config: TrainingConfig, plan: RunPlan, statistics: RunStatistics) {
    this.#config = config;
    this.#plan = plan;
    this.#statistics = statistics;
  }

  /**
   * Of the first work that is given out; nothing of all that follows.
   * @param step steps done before
   */
  start(step: number, workers: number): TrainingEvent[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    const { epochs, stepsPerEpoch, totalSteps, trainSamples, testSamples } = this.#plan;
    return [{ type: "started", epochs, stepsPerEpoch, totalSteps, trainSamples, testSamples, workers, step }];
  }

  /** Whether a gradient that is not clipped is measured in this step. @param step from 0 */
  measuresNorm(step: number): boolean {
    return isMeasured((step % this.#plan.stepsPerEpoch) + 1, this.#config.logEvery);
  }

  /** @param step from 0 */
  step(step: number, { lossSum, correct }: StepSums, measured: Measured): TrainingEvent {
    const samples = this.#plan.batchSizeOf(step);
    this.#epoch.ms += measured.stepMs;
    this.#epoch.samples += samples;
    return {
      type: "step",
      epoch: this.#plan.epochOf(step) + 1,
      stepInEpoch: (step % this.#plan.stepsPerEpoch) + 1,
      step: step + 1,
      loss: lossSum / samples,
      learningRate: learningRate(this.#config, step, this.#plan),
      samples,
      correct,
      ...measured,
    };
  }

  epoch({ epoch, correct, isBest }: Extract<Effect, { type: "epoch-evaluated" }>): TrainingEvent {
    const { ms, samples } = this.#epoch;
    this.#epoch = { ms: 0, samples: 0 };
    return {
      type: "epoch",
      epoch: epoch + 1,
      trainLoss: this.#statistics.trainLoss ?? 0,
      trainAccuracy: this.#statistics.trainAccuracy ?? 0,
      ...this.#evaluation(correct),
      isBest,
      samplesPerSecond: ms > 0 ? samples / (ms / 1000) : 0,
    };
  }

  /**
   * Of the weights with which the run ends amid an epoch.
   * @param step steps done
   */
  end(step: number, correct: Correct): TrainingEvent {
    return { type: "end-evaluated", step, ...this.#evaluation(correct) };
  }

  #evaluation({ test, validation }: Correct): Evaluation {
    const { testSamples, validationSamples } = this.#plan;
    const isValidated = validationSamples > 0;
    return {
      testAccuracy: test / testSamples,
      testErrors: testSamples - test,
      testSamples,
      validationAccuracy: isValidated ? validation / validationSamples : null,
      validationErrors: isValidated ? validationSamples - validation : null,
      validationSamples,
    };
  }
}
