import type { Checkpoint, CheckpointProgress } from "../shared/checkpoint.ts";
import type { ValidationProgress } from "../shared/checkpoint-progress.ts";
import type { Evaluation, TrainingEvent, TrainingResult } from "../shared/events.ts";
import type { Setting } from "./advice.ts";
import { EfficiencyMeter } from "./efficiency.ts";

type EpochEvent = Extract<TrainingEvent, { type: "epoch" }>;

/** What a resumed run has come to before. */
export interface Before {
  readonly checkpoint: Pick<Checkpoint, "step" | "progress" | "engine">;
  /** Training samples in those steps. */
  readonly samples: number;
}

/** Sums up a run from its events, for the result and for checkpoints. */
export class RunStatistics {
  readonly #startedAt: number;
  readonly #setting: Setting;
  readonly #resumedFrom: number | null;
  readonly #samplesBefore: number;
  #efficiency = new EfficiencyMeter();
  #firstStepAt: number | undefined;
  #lastAt: number;
  #epochs = 0;
  #steps = 0;
  /** Since the start of this process; all other sums are the whole run's. */
  #samples = 0;
  #epochLossSum = 0;
  #epochSamples = 0;
  #epochCorrect = 0;
  #testErrors: number | null = null;
  #testSamples = 0;
  #validation: ValidationProgress | undefined;
  /** Of the weights amid an epoch, with which the run ended. */
  #end: Evaluation | undefined;
  #workers = 0;
  #workersLost = 0;
  #shardsReassigned = 0;
  readonly #engines = new Set<string>();

  /** @param startedAt in ms */
  constructor(startedAt: number, setting: Setting, before?: Before) {
    this.#startedAt = startedAt;
    this.#setting = setting;
    this.#lastAt = startedAt;
    this.#resumedFrom = before?.checkpoint.step ?? null;
    this.#samplesBefore = before?.samples ?? 0;
    if (before === undefined) return;
    const { step, progress, engine } = before.checkpoint;
    this.#steps = step;
    this.#epochs = progress.evaluatedEpochs;
    this.#testErrors = progress.testErrors;
    this.#testSamples = progress.testSamples;
    this.#validation = progress.validation;
    this.#epochLossSum = progress.epochLossSum;
    this.#epochSamples = progress.epochSamples;
    this.#epochCorrect = progress.epochCorrect;
    for (const name of engine.split("+")) if (name !== NO_ENGINE) this.#engines.add(name);
  }

  /** What a checkpoint keeps of it. */
  get progress(): CheckpointProgress {
    return {
      evaluatedEpochs: this.#epochs,
      testErrors: this.#testErrors,
      testSamples: this.#testSamples,
      ...(this.#validation === undefined ? {} : { validation: this.#validation }),
      epochLossSum: this.#epochLossSum,
      epochCorrect: this.#epochCorrect,
      epochSamples: this.#epochSamples,
    };
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
        this.#efficiency.record({ ...event, step: event.step - (this.#resumedFrom ?? 0) });
        break;
      case "epoch":
        this.#lastAt = at;
        this.#epochs = event.epoch;
        this.#testErrors = event.testErrors;
        this.#testSamples = event.testSamples;
        this.#validation = validated(this.#validation, event);
        break;
      case "end-evaluated":
        this.#lastAt = at;
        this.#end = event;
        break;
      case "workers-chosen":
        // The steps before were there to find that out.
        this.#efficiency = new EfficiencyMeter(event.workers);
        break;
      case "worker-joined":
        this.#workers = Math.max(this.#workers, event.workers);
        if (this.#engines.size < MAX_ENGINES) this.#engines.add(event.engine);
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
    rest: Pick<
      TrainingResult,
      "weightsSha256" | "runDir" | "checkpoint" | "samplesLost" | "samplesRepeated" | "interruptedBy" | "endedBy"
    >,
  ): TrainingResult {
    const trainSeconds = (this.#lastAt - (this.#firstStepAt ?? this.#lastAt)) / 1000;
    return {
      ...this.#quality(),
      trainLoss: this.trainLoss,
      epochs: this.#epochs,
      steps: this.#steps,
      samples: this.#samplesBefore + this.#samples,
      resumedFrom: this.#resumedFrom,
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

  /** Of the best weights where validation tells which those are, otherwise of the last that were evaluated. */
  #quality(): Quality {
    const [end, best] = [this.#end, this.#validation?.best];
    if (end !== undefined && (best === undefined || (end.validationErrors ?? Infinity) < best.errors)) {
      const { testAccuracy, testErrors, validationAccuracy, validationErrors } = end;
      return { testAccuracy, testErrors, validationAccuracy, validationErrors, bestEpoch: null };
    }
    const testErrors = best?.testErrors ?? this.#testErrors;
    const validationErrors = best?.errors ?? null;
    return {
      testAccuracy: accuracy(testErrors, this.#testSamples),
      testErrors,
      validationAccuracy: accuracy(validationErrors, this.#validation?.samples ?? 0),
      validationErrors,
      bestEpoch: best?.epoch ?? null,
    };
  }

  /** The engines that computed, in words: normally one. */
  get engine(): string {
    return [...this.#engines].sort().join("+") || NO_ENGINE;
  }
}

type Quality = Pick<
  TrainingResult,
  "testAccuracy" | "testErrors" | "validationAccuracy" | "validationErrors" | "bestEpoch"
>;

function accuracy(errors: number | null, samples: number): number | null {
  return errors === null ? null : (samples - errors) / samples;
}

function validated(
  before: ValidationProgress | undefined,
  { epoch, isBest, testErrors, validationErrors: errors, validationSamples: samples }: EpochEvent,
): ValidationProgress | undefined {
  if (errors === null) return undefined;
  const best = isBest || before === undefined ? { epoch, errors, testErrors } : before.best;
  return { samples, errors, best };
}

/** There are four; but whoever can join can claim any name. */
const MAX_ENGINES = 16;

/** Of a run that ended before any worker joined. */
const NO_ENGINE = "none";
