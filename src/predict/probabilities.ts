/** What the network's ten numbers say. Pure. */

import { exponential } from "./exponential.ts";

/** How likely each class is, [10], which add up to 1: the softmax of the logits. */
export function probabilitiesOf(logits: Float32Array): Float64Array {
  // Relative to the largest, so that no power overflows.
  const largest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const powers = Float64Array.from(logits, (logit) => exponential(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The classes, the most likely first; of equals the lower number, as in training. */
export function ranked(probabilities: Float64Array): readonly number[] {
  return [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
}
