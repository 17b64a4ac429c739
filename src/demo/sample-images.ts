import { STORED_SIZE } from "../shared/data/idx.ts";
import type { Split } from "../shared/data/split.ts";
import { CLASS_COUNT } from "../shared/model/lenet5.ts";

/** Images to try the network on. */
export interface SampleImages {
  /** [n, 28, 28] bytes, 0 for background. */
  readonly pixels: Uint8Array;
  /** [n], 0 to 9. */
  readonly labels: readonly number[];
}

export const NO_SAMPLES: SampleImages = { pixels: new Uint8Array(0), labels: [] };

/** The first `sets` images of each class: the first of all classes in their order, then the second ones, and so on. */
export function sampleImages({ pixels, labels }: Split, sets: number): SampleImages {
  const byClass = Array.from({ length: CLASS_COUNT }, (): number[] => []);
  for (const [index, label] of labels.entries()) {
    const found = byClass[label];
    if (found !== undefined && found.length < sets) found.push(index);
  }
  const chosen: number[] = [];
  for (let set = 0; set < sets; set++) {
    for (const { [set]: index } of byClass) if (index !== undefined) chosen.push(index);
  }
  const taken = new Uint8Array(chosen.length * STORED_SIZE);
  for (const [place, index] of chosen.entries()) {
    taken.set(pixels.subarray(index * STORED_SIZE, (index + 1) * STORED_SIZE), place * STORED_SIZE);
  }
  return { pixels: taken, labels: chosen.map((index) => labels[index] ?? 0) };
}
