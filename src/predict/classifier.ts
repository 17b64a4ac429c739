import { resize } from "../shared/data/preprocess.ts";
import { STORED_SIZE } from "../shared/data/idx.ts";
import { runningStatistics } from "../shared/model/contribution.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT } from "../shared/model/lenet5.ts";
import type { Engine } from "../worker/engines/engine.ts";
import { probabilitiesOf } from "./probabilities.ts";

/** A network that has been trained, on an engine: says of prepared images how likely each class is. */
export class Classifier {
  readonly #engine: Engine;
  readonly #running: ReturnType<typeof runningStatistics>;

  /** @param state parameters, then running statistics, as in a checkpoint */
  constructor(engine: Engine, state: Float32Array) {
    this.#engine = engine;
    engine.load(state.subarray(0, PARAMETER_COUNT));
    this.#running = runningStatistics(state.subarray(PARAMETER_COUNT));
  }

  /**
   * @param prepared images of [28, 28] bytes, 0 for background, as they are in a data set's file
   * @returns for each image the classes' probabilities, [10]
   */
  async classify(prepared: readonly Uint8Array[]): Promise<readonly Float64Array[]> {
    const images = new Uint8Array(prepared.length * IMAGE_SIZE);
    for (const [i, pixels] of prepared.entries()) {
      if (pixels.length !== STORED_SIZE) throw new RangeError(`image ${i} has ${pixels.length} pixels, not 28x28`);
      resize(pixels, 0, images, i * IMAGE_SIZE);
    }
    const labels = new Uint8Array(prepared.length);
    const { logits } = await this.#engine.evaluate({ images, labels, ...this.#running });
    return prepared.map((_, i) => probabilitiesOf(logits.subarray(i * CLASS_COUNT, (i + 1) * CLASS_COUNT)));
  }
}
