import { CLASS_COUNT } from "../../../shared/model/lenet5.ts";
import type { Allocate, Numbers } from "./numbers.ts";

export interface Loss {
  /** Sum of the images' cross-entropy losses, in nats. */
  readonly lossSum: number;
  /** Images whose largest logit (the first of equal ones) is the label's. */
  readonly correct: number;
  /** [count][10], gradient of lossSum / globalCount */
  readonly dLogits: Numbers;
}

/** Softmax cross-entropy of `logits` [count][10]: loss = log(sum of exp(logits)) - logits[label]. */
export function crossEntropy(logits: Numbers, labels: Uint8Array, globalCount: number, allocate: Allocate): Loss {
  const dLogits = allocate(logits.length);
  let [lossSum, correct] = [0, 0];
  for (const [n, label] of labels.entries()) {
    const start = n * CLASS_COUNT;
    let best = 0;
    for (let k = 1; k < CLASS_COUNT; k++) {
      if (logits[start + k]! > logits[start + best]!) best = k;
    }
    // Subtracting the largest keeps exp from overflowing and changes nothing else.
    const largest = logits[start + best]!;
    let sum = 0;
    for (let k = 0; k < CLASS_COUNT; k++) sum += Math.exp(logits[start + k]! - largest);
    for (let k = 0; k < CLASS_COUNT; k++) {
      const probability = Math.exp(logits[start + k]! - largest) / sum;
      dLogits[start + k] = (probability - (k === label ? 1 : 0)) / globalCount;
    }
    lossSum += Math.log(sum) - (logits[start + label]! - largest);
    if (best === label) correct++;
  }
  return { lossSum, correct, dLogits };
}
