import { setImmediate } from "node:timers/promises";
import { STORED_SIZE } from "../shared/data/idx.ts";
import { InputSource } from "../shared/data/input-source.ts";
import type { Split } from "../shared/data/split.ts";
import { runningStatistics } from "../shared/model/contribution.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT } from "../shared/model/lenet5.ts";
import { createEngine } from "../worker/engines/select.ts";
import { Confusion } from "./confusion.ts";
import { judge, type Mistake, WorstMistakes } from "./mistakes.ts";

/** Images between two moments in which others get their turn: some 10 ms. */
const CHUNK = 250;

/** What a state makes of a test set. */
export interface Predictions {
  readonly confusion: Confusion;
  /** Mean cross-entropy over all images, in nats. */
  readonly loss: number;
  /** The worst mistakes, the worst first, each with its image: [28, 28] bytes. */
  readonly worst: readonly (Mistake & { readonly pixels: Uint8Array })[];
}

/**
 * Evaluates a state with the wasm engine, on this thread.
 *
 * @param state parameters, then running statistics
 * @param count of the worst mistakes that are kept
 */
export async function predict(state: Float32Array, test: Split, count: number): Promise<Predictions> {
  const engine = await createEngine("wasm");
  try {
    engine.load(state.subarray(0, PARAMETER_COUNT));
    const running = runningStatistics(state.subarray(PARAMETER_COUNT));
    const source = new InputSource(test);
    const [images, labels] = [new Uint8Array(CHUNK * IMAGE_SIZE), new Uint8Array(CHUNK)];
    const confusion = new Confusion();
    const worst = new WorstMistakes(count);
    let lossSum = 0;
    for (let start = 0; start < test.count; start += CHUNK) {
      const end = Math.min(start + CHUNK, test.count);
      source.gatherPixelsRange(start, end, images, labels);
      const batch = { images: images.subarray(0, (end - start) * IMAGE_SIZE), labels: labels.subarray(0, end - start) };
      const { logits } = await engine.evaluate({ ...batch, ...running });
      for (const [i, label] of batch.labels.entries()) {
        const judged = judge(logits.subarray(i * CLASS_COUNT, (i + 1) * CLASS_COUNT), label);
        confusion.add(label, judged.prediction);
        lossSum += judged.loss;
        worst.add({ image: start + i, label, ...judged });
      }
      await setImmediate();
    }
    const pixelsOf = (image: number): Uint8Array => test.pixels.slice(image * STORED_SIZE, (image + 1) * STORED_SIZE);
    return {
      confusion,
      loss: lossSum / test.count,
      worst: worst.list().map((mistake) => ({ ...mistake, pixels: pixelsOf(mistake.image) })),
    };
  } finally {
    await engine.dispose();
  }
}
