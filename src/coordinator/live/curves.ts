import type { Evaluation, TrainingEvent } from "../../shared/events.ts";
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

interface EpochPoint extends Pick<Epoch, "epoch" | "testAccuracy" | "validationAccuracy"> {
  readonly step: number;
  /** Null where the run's time was up amid the epoch. */
  readonly trainLoss: number | null;
}

/** How far the curves were when somebody last looked. */
export interface CurvesMark {
  readonly points: number;
  readonly stride: number;
  /** Evaluations in this process. */
  readonly epochs: number;
}

/** The curves of a run, in bounded memory. Steps of an earlier start of the run are not among them. */
export class Curves {
  readonly #steps = new Downsampled<StepSums>({ limit: STEP_POINTS, merge: mergeSteps });
  readonly #epochs = new Downsampled<EpochPoint>({ limit: EPOCH_POINTS, merge: (_earlier, later) => later });
  #evaluations = 0;
  #last: Pick<Step, "step" | "epoch"> = { step: 0, epoch: 1 };

  /** @param ms since the step before, evaluations not counted */
  step({ step, epoch, loss, samples, correct }: Step, ms: number): void {
    this.#last = { step, epoch };
    this.#steps.add(step - 1, { step, lossSum: loss * samples, correct, samples, ms });
  }

  epoch({ epoch, trainLoss, ...evaluation }: Epoch): void {
    this.#evaluated(epoch, trainLoss, evaluation);
  }

  /** The weights amid an epoch, with which the run ends, were evaluated. */
  end(evaluation: Evaluation): void {
    this.#evaluated(this.#last.epoch, null, evaluation);
  }

  get mark(): CurvesMark {
    return { points: this.#steps.points.length, stride: this.#steps.stride, epochs: this.#evaluations };
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
      validationAccuracy: points.map(({ validationAccuracy }) => validationAccuracy),
    };
  }

  #evaluated(epoch: number, trainLoss: number | null, { testAccuracy, validationAccuracy }: Evaluation): void {
    this.#evaluations += 1;
    this.#epochs.add(epoch - 1, { step: this.#last.step, epoch, trainLoss, testAccuracy, validationAccuracy });
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
