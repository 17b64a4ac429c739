/** From a stored image to what the network sees: 28x28 bytes become 32x32, then normalised float32. */

import { IMAGE_SIDE } from "../model/lenet5.ts";
import { STORED_SIDE } from "./idx.ts";

/**
 * Mean and standard deviation of MNIST's training images, scaled to [0, 1]. They normalise training and test images
 * alike: a test image must not be seen through what is known of the other test images.
 */
export const PIXEL_MEAN = 0.1307;
export const PIXEL_STD = 0.3081;

/** What the network sees for each byte, [256]: (byte / 255 - mean) / std, rounded once. */
export const NORMALISED: Float32Array = Float32Array.from(
  { length: 256 },
  (_, byte) => (byte / 255 - PIXEL_MEAN) / PIXEL_STD,
);

// Half-pixel centres: output d lies at (d + 1/2) * 28/32 - 1/2 = (14 d - 1) / 16 in the source. The numerator's whole
// and remaining sixteenths are the pixel before and the weight of the pixel after; the source's edges are extended.
export const BEFORE = new Uint8Array(IMAGE_SIDE);
export const AFTER = new Uint8Array(IMAGE_SIDE);
export const AFTER_WEIGHT = new Uint8Array(IMAGE_SIDE);
for (let d = 0; d < IMAGE_SIDE; d++) {
  const sixteenths = 14 * d - 1;
  BEFORE[d] = Math.max(sixteenths >> 4, 0);
  AFTER[d] = Math.min((sixteenths >> 4) + 1, STORED_SIDE - 1);
  AFTER_WEIGHT[d] = sixteenths & 15;
}

/** The source's rows, stretched to the full width, in sixteenths: [28, 32]. */
const stretched = new Uint16Array(STORED_SIDE * IMAGE_SIDE);

/**
 * Bilinear resize of one image from 28x28 to 32x32 bytes, with half-pixel centres and extended edges: what
 * `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` computes, rounded half up to a byte.
 *
 * All weights are sixteenths, so the sum is a whole number of 256ths and the arithmetic is exact. This is the plain form;
 * training uses `Resizer`, which computes the same bytes with SIMD.
 *
 * @param pixels read from `pixelsOffset` on, row by row
 * @param resized written from `resizedOffset` on, row by row
 */
export function resize(pixels: Uint8Array, pixelsOffset: number, resized: Uint8Array, resizedOffset: number): void {
  for (let y = 0; y < STORED_SIDE; y++) {
    const from = pixelsOffset + y * STORED_SIDE;
    const to = y * IMAGE_SIDE;
    for (let x = 0; x < IMAGE_SIDE; x++) {
      const weight = AFTER_WEIGHT[x]!;
      stretched[to + x] = pixels[from + BEFORE[x]!]! * (16 - weight) + pixels[from + AFTER[x]!]! * weight;
    }
  }
  for (let y = 0; y < IMAGE_SIDE; y++) {
    const before = BEFORE[y]! * IMAGE_SIDE;
    const after = AFTER[y]! * IMAGE_SIDE;
    const weight = AFTER_WEIGHT[y]!;
    const to = resizedOffset + y * IMAGE_SIDE;
    for (let x = 0; x < IMAGE_SIDE; x++) {
      resized[to + x] = (stretched[before + x]! * (16 - weight) + stretched[after + x]! * weight + 128) >> 8;
    }
  }
}
