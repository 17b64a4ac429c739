import { CLASS_COUNT } from "../shared/model/lenet5.ts";

/** How often each class was taken for each class. */
export class Confusion {
  readonly #counts = new Uint32Array(CLASS_COUNT * CLASS_COUNT);

  add(label: number, prediction: number): void {
    this.#counts[label * CLASS_COUNT + prediction]! += 1;
  }

  count(label: number, prediction: number): number {
    return this.#counts[label * CLASS_COUNT + prediction]!;
  }

  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  get errors(): number {
    return this.#counts.reduce((sum, count, i) => (i % (CLASS_COUNT + 1) === 0 ? sum : sum + count), 0);
  }

  /** Images of a class. */
  labelled(label: number): number {
    return this.#counts.subarray(label * CLASS_COUNT, (label + 1) * CLASS_COUNT).reduce((sum, count) => sum + count, 0);
  }

  /** Images that were taken for a class. */
  predicted(prediction: number): number {
    return this.#counts.reduce((sum, count, i) => (i % CLASS_COUNT === prediction ? sum + count : sum), 0);
  }

  /** Share of the images of a class that were recognised; null where there are none. */
  recall(label: number): number | null {
    return share(this.count(label, label), this.labelled(label));
  }

  /** Share of the images that were taken for a class which are of it; null where there are none. */
  precision(prediction: number): number | null {
    return share(this.count(prediction, prediction), this.predicted(prediction));
  }

  /** What a class was most often taken for, wrongly; of equals the first; undefined where it never was. */
  mistakenFor(label: number): number | undefined {
    let most: number | undefined;
    for (let other = 0; other < CLASS_COUNT; other++) {
      if (other !== label && this.count(label, other) > (most === undefined ? 0 : this.count(label, most)))
        most = other;
    }
    return most;
  }
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
