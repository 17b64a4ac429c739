import { CLASS_COUNT } from "../../../shared/model/lenet5.ts";
import type { ShardInput } from "../engine.ts";
import type { Allocate, Numbers } from "./numbers.ts";

export interface Loss {
  /** Sum of the images' cross-entropy losses with the smoothed labels, in nats. */
  readonly lossSum: number;
  /** Images whose largest logit (the first of equal ones) is the label's. */
  readonly correct: number;
  /** [count][10], gradient of lossSum / globalCount */
  readonly dLogits: Numbers;
}

export interface TargetShares {
  /** What the image's own class is to get. */
  readonly own: number;
  /** What each of the other classes is to get. */
  readonly other: number;
}

/** A label smoothed (Szegedy et al. 2016, section 7): exactly 1 and 0 where `labelSmoothing` is 0. */
export function targetShares(labelSmoothing: number): TargetShares {
  const other = labelSmoothing / CLASS_COUNT;
  return { own: 1 - labelSmoothing + other, other };
}

/** Softmax cross-entropy of `logits` [count][10]: loss = -(sum over the classes of target * log softmax). */
export function crossEntropy(
  logits: Numbers,
  { labels, globalCount, labelSmoothing = 0 }: Omit<ShardInput, "images">,
  allocate: Allocate,
): Loss {
  const { own, other } = targetShares(labelSmoothing);
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
      const target = k === label ? own : other;
      const probability = Math.exp(logits[start + k]! - largest) / sum;
      dLogits[start + k] = (probability - target) / globalCount;
      // What nobody expects costs nothing, not even where its logit is -Infinity.
      if (target > 0) lossSum += target * (Math.log(sum) - (logits[start + k]! - largest));
    }
    if (best === label) correct++;
  }
  return { lossSum, correct, dLogits };
}
