import { CLASS_COUNT, PARAMETER_COUNT, STATISTIC_COUNT } from "../shared/model/lenet5.ts";
import type { DenseFinal, Engine, EvaluationInput, Logits, ShardGradient } from "../worker/engines/engine.ts";

/** Computes nothing: every shard has the same small gradient, at once. What a step then takes is the exchange alone. */
export class NoOpEngine implements Engine {
  readonly name = "wasm";
  readonly device = "none";
  readonly #gradient: ShardGradient = {
    gradient: new Float32Array(PARAMETER_COUNT).fill(1e-4),
    lossSum: 1,
    correct: 0,
    batchMean: new Float32Array(STATISTIC_COUNT / 2),
    batchVar: new Float32Array(STATISTIC_COUNT / 2).fill(1),
  };

  load(): void {}

  gradients(_shard: unknown, denseFinal?: DenseFinal): ShardGradient {
    denseFinal?.(this.#gradient);
    return this.#gradient;
  }

  evaluate({ labels }: EvaluationInput): Logits {
    return { logits: new Float32Array(labels.length * CLASS_COUNT) };
  }

  dispose(): void {}
}
