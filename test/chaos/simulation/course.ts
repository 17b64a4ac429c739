import { crc32 } from "node:zlib";
import type { Checkpoint } from "../../../src/shared/checkpoint.ts";
import type { TrainingEvent, TrainingResult } from "../../../src/shared/events.ts";
import { bytesOf } from "../../../src/shared/protocol/codec.ts";

/**
 * What an undisturbed run comes to at each of its steps, so that another is found out at the first step, evaluation or
 * checkpoint that differs rather than at its end.
 */
export class Course {
  readonly #known = new Map<string, string>();
  #isComplete = false;

  /** From now on everything must be as it was. */
  complete(): void {
    this.#isComplete = true;
  }

  /** @throws Error when this step or epoch was another one in the undisturbed run */
  event(event: TrainingEvent): void {
    if (event.type === "step") {
      const { step, epoch, loss, learningRate, samples, correct, samplesCounted, gradientNorm } = event;
      this.#compare(`step ${step}`, { epoch, loss, learningRate, samples, correct, samplesCounted, gradientNorm });
    } else if (event.type === "epoch") {
      const { epoch, trainLoss, trainAccuracy, testErrors, testSamples, validationErrors, isBest } = event;
      const evaluation = { testErrors, testSamples, validationErrors, isBest };
      this.#compare(`epoch ${epoch}`, { trainLoss, trainAccuracy, ...evaluation });
    }
  }

  /** @throws Error when the state after this step was another one */
  checkpoint({ step, state, latest, adamM, adamV, progress, ...rest }: Checkpoint): void {
    const vectors = [state, latest, adamM, adamV].map((vector) => crc32(bytesOf(vector)));
    const { evaluatedEpochs, epochLossSum, epochCorrect, epochSamples, testErrors, validation } = progress;
    this.#compare(`the state after step ${step}`, { vectors, epochLossSum, epochCorrect, epochSamples });
    this.#compare(`the evaluation of epoch ${evaluatedEpochs}`, { testErrors, validation });
    this.#compare("what a run is", { dataDigest: rest.dataDigest, engine: rest.engine, seed: rest.seed });
  }

  /** @throws Error when the run has come to something else */
  result(result: TrainingResult): void {
    const { weightsSha256, trainLoss, testErrors, testAccuracy, epochs, steps, samples, engine } = result;
    const { samplesLost, samplesRepeated, validationErrors, bestEpoch, endedBy } = result;
    this.#compare("the result", { weightsSha256, trainLoss, testErrors, testAccuracy, epochs, steps, samples, engine });
    this.#compare("what the validation images told", { validationErrors, bestEpoch, endedBy });
    this.#compare("the samples", { samplesLost, samplesRepeated });
  }

  #compare(what: string, found: unknown): void {
    const text = JSON.stringify(found);
    const known = this.#known.get(what);
    if (known === undefined && !this.#isComplete) this.#known.set(what, text);
    else if (known !== undefined && known !== text) throw new Error(`${what} is ${text}, undisturbed ${known}`);
    else if (known === undefined) throw new Error(`${what} is ${text}, and never was undisturbed`);
  }
}
