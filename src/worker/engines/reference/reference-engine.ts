import { NORMALISED } from "../../../shared/data/preprocess.ts";
import { CONV1_CHANNELS, PARAMETER_COUNT } from "../../../shared/model/lenet5.ts";
import { checkEvaluation, checkParameters, checkShard, notLoaded } from "../check-input.ts";
import type { DenseFinal, Engine, EvaluationInput, Images, Logits, ShardGradient, ShardInput } from "../engine.ts";
import { crossEntropy } from "./loss.ts";
import { type NetworkStatistics, backward, forward } from "./network.ts";

const float32 = (length: number): Float32Array => new Float32Array(length);

function normalised(images: Images): Float32Array {
  return images instanceof Float32Array ? images : Float32Array.from(images, (byte) => NORMALISED[byte]!);
}

/**
 * The slow, obvious engine: plain loops that read like the textbook. It says what the right answer is; use it to check
 * the others.
 */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly device = "cpu (plain JavaScript)";
  #parameters: Float32Array | undefined;

  load(parameters: Float32Array, start?: number): void {
    checkParameters(parameters, start, this.#parameters !== undefined);
    this.#parameters ??= new Float32Array(PARAMETER_COUNT);
    this.#parameters.set(parameters, start);
  }

  gradients(shard: ShardInput, denseFinal?: DenseFinal): ShardGradient {
    if (this.#parameters === undefined) throw notLoaded();
    const count = checkShard(shard);
    const activations = forward(this.#parameters, normalised(shard.images), count, float32);
    const { lossSum, correct, dLogits } = crossEntropy(activations.logits, shard, float32);
    const { bn1, bn2 } = activations.statistics;
    const result: ShardGradient = {
      gradient: backward(this.#parameters, activations, dLogits, count, float32),
      lossSum,
      correct,
      batchMean: Float32Array.from([...bn1.mean, ...bn2.mean]),
      batchVar: Float32Array.from([...bn1.variance, ...bn2.variance]),
    };
    denseFinal?.(result);
    return result;
  }

  evaluate(batch: EvaluationInput): Logits {
    if (this.#parameters === undefined) throw notLoaded();
    const count = checkEvaluation(batch);
    const { runningMean, runningVar } = batch;
    const running: NetworkStatistics = {
      bn1: { mean: runningMean.subarray(0, CONV1_CHANNELS), variance: runningVar.subarray(0, CONV1_CHANNELS) },
      bn2: { mean: runningMean.subarray(CONV1_CHANNELS), variance: runningVar.subarray(CONV1_CHANNELS) },
    };
    const { logits } = forward(this.#parameters, normalised(batch.images), count, float32, running);
    return { logits: Float32Array.from(logits) };
  }

  dispose(): void {
    this.#parameters = undefined;
  }
}
