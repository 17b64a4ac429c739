import { invariant } from "../errors.ts";
import { IMAGE_SIZE } from "../model/lenet5.ts";
import { drawAffine, randomAffine } from "./augment.ts";
import { NORMALISED } from "./preprocess.ts";
import { Resizer } from "./resizer.ts";
import type { Split } from "./split.ts";

/** Distort images at random, in a way that depends on these and on the sample's index. */
export interface Augmentation {
  readonly seed: number;
  readonly epoch: number;
}

/** Network inputs made from a split: images resized to 32x32 and, if asked for, distorted, with their labels. */
export class InputSource {
  readonly #split: Split;
  readonly #resizer = new Resizer();

  constructor(split: Split) {
    this.#split = split;
  }

  /** Samples that can be asked for: indices stay below this. */
  get count(): number {
    return this.#split.count;
  }

  /**
   * Writes the samples with these indices, in this order, to the beginning of both buffers.
   *
   * @param images [n, 32, 32] or larger, normalised
   * @param labels [n] or larger
   */
  gather(indices: ArrayLike<number>, images: Float32Array, labels: Uint8Array, augmentation?: Augmentation): void {
    this.#make(indices, images, labels, augmentation);
  }

  /** The same for the samples from `start` up to, not including, `end`. */
  gatherRange(start: number, end: number, images: Float32Array, labels: Uint8Array): void {
    this.#make(range(start, end), images, labels, undefined);
  }

  /**
   * The same as bytes, before normalisation: 0 for background to 255.
   *
   * @param pixels [n, 32, 32] or larger
   * @param labels [n] or larger
   */
  gatherPixels(indices: ArrayLike<number>, pixels: Uint8Array, labels: Uint8Array, augmentation?: Augmentation): void {
    this.#make(indices, pixels, labels, augmentation);
  }

  /** The same for the samples from `start` up to, not including, `end`. */
  gatherPixelsRange(start: number, end: number, pixels: Uint8Array, labels: Uint8Array): void {
    this.#make(range(start, end), pixels, labels, undefined);
  }

  #make(
    indices: ArrayLike<number>,
    into: Float32Array | Uint8Array,
    labels: Uint8Array,
    augmentation: Augmentation | undefined,
  ): void {
    requireRoom(indices.length, into, labels);
    for (let first = 0; first < indices.length; first += Resizer.CAPACITY) {
      const n = Math.min(Resizer.CAPACITY, indices.length - first);
      for (let place = 0; place < n; place++) {
        const sample = indices[first + place]!;
        if (!(sample < this.count)) throw new RangeError(`sample ${sample} is not one of ${this.count}`);
        this.#resizer.put(place, this.#split.pixels, sample);
        labels[first + place] = this.#split.labels[sample]!;
      }
      const resized = this.#resizer.resize(n);
      if (augmentation !== undefined) {
        for (let place = 0; place < n; place++) {
          const affine = randomAffine(augmentation.seed, augmentation.epoch, indices[first + place]!);
          drawAffine(affine, resized, place * IMAGE_SIZE);
        }
      }
      if (into instanceof Uint8Array) into.set(resized, first * IMAGE_SIZE);
      else normalise(resized, into, first * IMAGE_SIZE);
    }
  }
}

function normalise(bytes: Uint8Array, images: Float32Array, start: number): void {
  for (let i = 0; i < bytes.length; i++) images[start + i] = NORMALISED[bytes[i]!]!;
}

function range(start: number, end: number): Uint32Array {
  return Uint32Array.from({ length: end - start }, (_, i) => start + i);
}

function requireRoom(samples: number, images: Float32Array | Uint8Array, labels: Uint8Array): void {
  invariant(
    images.length >= samples * IMAGE_SIZE && labels.length >= samples,
    `buffers for ${images.length / IMAGE_SIZE} images and ${labels.length} labels are too small for ${samples}`,
  );
}
