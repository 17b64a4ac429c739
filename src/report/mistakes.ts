/** Which images were taken for something else, and how wrongly. Pure. */

export interface Judgement {
  /** The class of the largest logit, of equals the first, as in training. */
  readonly prediction: number;
  /** The share of certainty that the network gave the prediction, 0 to 1. */
  readonly probability: number;
  /** Cross-entropy with the label, in nats. */
  readonly loss: number;
}

export interface Mistake extends Judgement {
  /** Its place in the test set, from 0. */
  readonly image: number;
  readonly label: number;
}

/** @param logits of one image, [10] */
export function judge(logits: Float32Array, label: number): Judgement {
  let prediction = 0;
  for (let k = 1; k < logits.length; k++) if (logits[k]! > logits[prediction]!) prediction = k;
  // Relative to the largest, so that no power overflows.
  const largest = logits[prediction]!;
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return { prediction, probability: 1 / sum, loss: Math.log(sum) + largest - logits[label]! };
}

/** The mistakes with the largest losses; of equals those that come first in the test set. */
export class WorstMistakes {
  readonly #limit: number;
  readonly #list: Mistake[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What was recognised is passed over. */
  add(judged: Mistake): void {
    if (judged.prediction === judged.label) return;
    const place = this.#list.findIndex((known) => compare(judged, known) < 0);
    this.#list.splice(place < 0 ? this.#list.length : place, 0, judged);
    if (this.#list.length > this.#limit) this.#list.pop();
  }

  /** The worst first. */
  list(): readonly Mistake[] {
    return this.#list;
  }
}

function compare(a: Mistake, b: Mistake): number {
  return b.loss - a.loss || a.image - b.image;
}
