import { invariant } from "../errors.ts";
import { IMAGE_SIZE } from "../model/lenet5.ts";
import { drawAffine, randomAffine } from "./augment.ts";
import { STORED_SIZE } from "./idx.ts";
import { NORMALISED, resize } from "./preprocess.ts";
import type { ResizedImages, Split } from "./split.ts";

/** Distort images at random, in a way that depends on these and on the sample's index. */
export interface Augmentation {
  readonly seed: number;
  readonly epoch: number;
}

/**
 * Network inputs made from a split.
 *
 * Images are resized on first use and kept, 1024 bytes each, so that training can begin at once.
 */
export class InputSource {
  readonly #split: Split;
  readonly #resized: Uint8Array;
  /** The same bytes, four at a time. */
  readonly #words: Uint32Array;
  readonly #isResized: Uint8Array;

  constructor(split: Split) {
    this.#split = split;
    const { bytes, done } = split.resized ?? roomForResized(split.count, ArrayBuffer);
    this.#resized = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#isResized = done;
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
    requireRoom(indices.length, images, labels);
    for (let place = 0; place < indices.length; place++) {
      this.#write(indices[place]!, place, images, labels, augmentation);
    }
  }

  /** The same for the samples from `start` up to, not including, `end`. */
  gatherRange(start: number, end: number, images: Float32Array, labels: Uint8Array): void {
    requireRoom(end - start, images, labels);
    for (let sample = start; sample < end; sample++) this.#write(sample, sample - start, images, labels, undefined);
  }

  /**
   * The same samples as bytes, before normalisation: 0 for background to 255.
   *
   * @param pixels [n, 32, 32] or larger
   * @param labels [n] or larger
   */
  gatherPixels(indices: ArrayLike<number>, pixels: Uint8Array, labels: Uint8Array): void {
    requireRoom(indices.length, pixels, labels);
    for (let place = 0; place < indices.length; place++) this.#copy(indices[place]!, place, pixels, labels);
  }

  /** The same for the samples from `start` up to, not including, `end`. */
  gatherPixelsRange(start: number, end: number, pixels: Uint8Array, labels: Uint8Array): void {
    requireRoom(end - start, pixels, labels);
    for (let sample = start; sample < end; sample++) this.#copy(sample, sample - start, pixels, labels);
  }

  #copy(sample: number, place: number, pixels: Uint8Array, labels: Uint8Array): void {
    this.#resize(sample);
    labels[place] = this.#split.labels[sample]!;
    const start = sample * IMAGE_SIZE;
    pixels.set(this.#resized.subarray(start, start + IMAGE_SIZE), place * IMAGE_SIZE);
  }

  #write(
    sample: number,
    place: number,
    images: Float32Array,
    labels: Uint8Array,
    augmentation: Augmentation | undefined,
  ): void {
    this.#resize(sample);
    labels[place] = this.#split.labels[sample]!;
    if (augmentation !== undefined) {
      const affine = randomAffine(augmentation.seed, augmentation.epoch, sample);
      drawAffine(affine, this.#resized, sample * IMAGE_SIZE, images, place * IMAGE_SIZE);
    } else {
      normalise(this.#resized, this.#words, sample * IMAGE_SIZE, images, place * IMAGE_SIZE);
    }
  }

  #resize(sample: number): void {
    if (!(sample < this.count)) throw new RangeError(`sample ${sample} is not one of ${this.count}`);
    if (Atomics.load(this.#isResized, sample) !== 0) return;
    // Two threads may both do this for the same image: they write the same bytes.
    resize(this.#split.pixels, sample * STORED_SIZE, this.#resized, sample * IMAGE_SIZE);
    Atomics.store(this.#isResized, sample, 1);
  }
}

/** Room for a split's resized images, none of which is there yet. */
export function roomForResized(
  count: number,
  Memory: ArrayBufferConstructor | SharedArrayBufferConstructor,
): ResizedImages {
  return { bytes: new Uint8Array(new Memory(count * IMAGE_SIZE)), done: new Uint8Array(new Memory(count)) };
}

/** Normalises one image. Most of it is background, so whole words of four such bytes are passed over. */
function normalise(
  bytes: Uint8Array,
  words: Uint32Array,
  bytesOffset: number,
  images: Float32Array,
  imagesOffset: number,
): void {
  images.fill(NORMALISED[0]!, imagesOffset, imagesOffset + IMAGE_SIZE);
  for (let first = 0; first < IMAGE_SIZE; first += 4) {
    if (words[(bytesOffset + first) >>> 2] === 0) continue;
    for (let pixel = first; pixel < first + 4; pixel++) {
      images[imagesOffset + pixel] = NORMALISED[bytes[bytesOffset + pixel]!]!;
    }
  }
}

function requireRoom(samples: number, images: Float32Array | Uint8Array, labels: Uint8Array): void {
  invariant(
    images.length >= samples * IMAGE_SIZE && labels.length >= samples,
    `buffers for ${images.length / IMAGE_SIZE} images and ${labels.length} labels are too small for ${samples}`,
  );
}
