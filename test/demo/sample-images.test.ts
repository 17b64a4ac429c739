import { expect, test } from "vitest";
import { sampleImages } from "../../src/demo/sample-images.ts";
import { STORED_SIZE } from "../../src/shared/data/idx.ts";

/** Images whose every pixel is their place in the split. */
function splitOf(labels: readonly number[]) {
  const pixels = Uint8Array.from({ length: labels.length * STORED_SIZE }, (_, i) => Math.floor(i / STORED_SIZE));
  return { count: labels.length, pixels, labels: Uint8Array.from(labels) };
}

test("takes the first images of each class, all classes before the next ones", () => {
  const { pixels, labels } = sampleImages(splitOf([9, 0, 0, 3, 9, 0, 9]), 2);
  expect(labels).toEqual([0, 3, 9, 0, 9]);
  expect(pixels).toHaveLength(5 * STORED_SIZE);
  const places = labels.map((_, i) => [...new Set(pixels.subarray(i * STORED_SIZE, (i + 1) * STORED_SIZE))]);
  expect(places).toEqual([[1], [3], [0], [2], [4]]);
});
