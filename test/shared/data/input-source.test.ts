import fc from "fast-check";
import { expect, test } from "vitest";
import { drawAffine, randomAffine } from "../../../src/shared/data/augment.ts";
import { STORED_SIZE } from "../../../src/shared/data/idx.ts";
import { InputSource } from "../../../src/shared/data/input-source.ts";
import { NORMALISED, resize } from "../../../src/shared/data/preprocess.ts";
import type { Split } from "../../../src/shared/data/split.ts";
import { IMAGE_SIZE } from "../../../src/shared/model/lenet5.ts";

const COUNT = 5;
// Strokes on a background, as digits are.
const SPLIT: Split = {
  count: COUNT,
  pixels: Uint8Array.from({ length: COUNT * STORED_SIZE }, (_, index) => (index % 28 < 9 ? 0 : (index * 17) % 256)),
  labels: Uint8Array.of(4, 0, 9, 1, 7),
};

test("gathers any samples in any order, any number of times", () => {
  const source = new InputSource(SPLIT);
  fc.assert(
    fc.property(fc.array(fc.nat(COUNT - 1), { maxLength: 8 }), (indices) => {
      const { images, labels } = gather(source, Uint32Array.from(indices));
      expect(images).toEqual(Float32Array.from(indices.flatMap((index) => [...expectedImage(index)])));
      expect([...labels]).toEqual(indices.map((index) => SPLIT.labels[index]));
    }),
    { numRuns: 30 },
  );
});

test("a range is the same as its indices", () => {
  const images = new Float32Array(3 * IMAGE_SIZE);
  const labels = new Uint8Array(3);
  new InputSource(SPLIT).gatherRange(2, 5, images, labels);
  expect({ images, labels }).toEqual(gather(new InputSource(SPLIT), [2, 3, 4]));
});

test("leaves the rest of larger buffers alone", () => {
  const images = new Float32Array(2 * IMAGE_SIZE).fill(9);
  const labels = new Uint8Array(2).fill(9);
  new InputSource(SPLIT).gather([1], images, labels);
  expect(new Set(images.subarray(IMAGE_SIZE))).toEqual(new Set([9]));
  expect([...labels]).toEqual([0, 9]);
});

test("augmentation depends on the sample, not on the batch around it", () => {
  const augmentation = { seed: 1, epoch: 3 };
  const pixels = resized(2);
  drawAffine(randomAffine(1, 3, 2), pixels, 0);
  const expected = Float32Array.from(pixels, (byte) => NORMALISED[byte]!);
  for (const indices of [[2], [4, 2], [0, 1, 2]]) {
    const images = new Float32Array(indices.length * IMAGE_SIZE);
    const labels = new Uint8Array(indices.length);
    new InputSource(SPLIT).gather(indices, images, labels, augmentation);
    expect(images.subarray(-IMAGE_SIZE)).toEqual(expected);
    expect(labels.at(-1)).toBe(9);
  }
});

test("augmentation leaves later plain images alone", () => {
  const source = new InputSource(SPLIT);
  source.gather([1], new Float32Array(IMAGE_SIZE), new Uint8Array(1), { seed: 1, epoch: 0 });
  expect(gather(source, [1]).images).toEqual(expectedImage(1));
});

test("samples that do not exist and buffers too small are broken invariants", () => {
  const source = new InputSource(SPLIT);
  expect(source.count).toBe(COUNT);
  expect(() => gather(source, [5])).toThrow("sample 5 is not one of 5");
  expect(() => source.gather([0, 1], new Float32Array(IMAGE_SIZE), new Uint8Array(2))).toThrow("too small for 2");
  expect(() => source.gatherRange(0, 2, new Float32Array(2 * IMAGE_SIZE), new Uint8Array(1))).toThrow(
    "too small for 2",
  );
});

test("pixels are the same before normalisation, as samples and as a range, for any number of them", () => {
  const source = new InputSource(SPLIT);
  const augmentation = { seed: 1, epoch: 3 };
  for (const indices of [[3], [1, 2, 3], Array.from({ length: 70 }, (_, i) => i % COUNT)]) {
    const pixels = new Uint8Array(indices.length * IMAGE_SIZE);
    const labels = new Uint8Array(indices.length);
    for (const distortion of [undefined, augmentation]) {
      const images = new Float32Array(indices.length * IMAGE_SIZE);
      source.gather(indices, images, labels, distortion);
      source.gatherPixels(indices, pixels, labels.fill(99), distortion);
      expect(Float32Array.from(pixels, (byte) => NORMALISED[byte]!)).toEqual(images);
      expect([...labels]).toEqual(indices.map((index) => SPLIT.labels[index]));
    }
  }
  const [some, range] = [new Uint8Array(2 * IMAGE_SIZE), new Uint8Array(2 * IMAGE_SIZE)];
  source.gatherPixels([2, 3], some, new Uint8Array(2));
  source.gatherPixelsRange(2, 4, range, new Uint8Array(2));
  expect(range).toEqual(some);
});

function gather(source: InputSource, indices: ArrayLike<number>): { images: Float32Array; labels: Uint8Array } {
  const images = new Float32Array(indices.length * IMAGE_SIZE);
  const labels = new Uint8Array(indices.length);
  source.gather(indices, images, labels);
  return { images, labels };
}

function resized(sample: number): Uint8Array {
  const bytes = new Uint8Array(IMAGE_SIZE);
  resize(SPLIT.pixels, sample * STORED_SIZE, bytes, 0);
  return bytes;
}

function expectedImage(sample: number): Float32Array {
  return Float32Array.from(resized(sample), (byte) => NORMALISED[byte]!);
}
