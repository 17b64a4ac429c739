import type { TrainingEvent } from "../../shared/events.ts";
import { Downsampled } from "./downsampled.ts";
import type { EpochColumns, StepColumns } from "./page/protocol.ts";

type Step = Extract<TrainingEvent, { type: "step" }>;
type Epoch = Extract<TrainingEvent, { type: "epoch" }>;

/** More than a wide screen has columns of pixels for. */
const STEP_POINTS = 2_000;
const EPOCH_POINTS = 500;

/** Sums over neighbouring steps. */
interface StepSums {
  readonly step: number;
  readonly lossSum: number;
  readonly correct: number;
  readonly samples: number;
  readonly ms: number;
}

type EpochPoint = Pick<Epoch, "epoch" | "trainLoss" | "testAccuracy"> & { readonly step: number };

/** How far the curves were when somebody last looked. */
export interface CurvesMark {
  readonly points: number;
  readonly stride: number;
  /** Epochs that were finished in this process. */
  readonly epochs: number;
}

/** The curves of a run, in bounded memory. Steps of an earlier start of the run are not among them. */
export class Curves {
  readonly #steps = new Downsampled<StepSums>({ limit: STEP_POINTS, merge: mergeSteps });
  readonly #epochs = new Downsampled<EpochPoint>({ limit: EPOCH_POINTS, merge: (_earlier, later) => later });
  #epochsDone = 0;
  #lastStep = 0;

  /** @param ms since the step before, evaluations not counted */
  step({ step, loss, samples, correct }: Step, ms: number): void {
    this.#lastStep = step;
    this.#steps.add(step - 1, { step, lossSum: loss * samples, correct, samples, ms });
  }

  epoch({ epoch, trainLoss, testAccuracy }: Epoch): void {
    this.#epochsDone += 1;
    this.#epochs.add(epoch - 1, { step: this.#lastStep, epoch, trainLoss, testAccuracy });
  }

  get mark(): CurvesMark {
    return { points: this.#steps.points.length, stride: this.#steps.stride, epochs: this.#epochsDone };
  }

  /** Points from the index `from` on; numbers have as many digits as a curve needs. */
  steps(from = 0): StepColumns {
    const points = this.#steps.points.slice(from);
    return {
      step: points.map(({ step }) => step),
      loss: points.map(({ lossSum, samples }) => rounded(lossSum / samples)),
      accuracy: points.map(({ correct, samples }) => rounded(correct / samples)),
      samplesPerSecond: points.map(({ samples, ms }) => rounded((samples * 1000) / ms)),
    };
  }

  epochs(): EpochColumns {
    const { points } = this.#epochs;
    return {
      step: points.map(({ step }) => step),
      epoch: points.map(({ epoch }) => epoch),
      trainLoss: points.map(({ trainLoss }) => trainLoss),
      testAccuracy: points.map(({ testAccuracy }) => testAccuracy),
    };
  }
}

function mergeSteps(earlier: StepSums, later: StepSums): StepSums {
  return {
    step: later.step,
    lossSum: earlier.lossSum + later.lossSum,
    correct: earlier.correct + later.correct,
    samples: earlier.samples + later.samples,
    ms: earlier.ms + later.ms,
  };
}

/** Null for what is not finite. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
}
