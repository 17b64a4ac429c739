/**
 * Random affine distortion of training images: each epoch shows each sample slightly rotated, scaled, sheared and
 * shifted. It depends only on the seed, the epoch and the sample, and comes out the same on every machine: plain
 * arithmetic for the transform, integers for the pixels.
 */

import { cosPi } from "../cosine.ts";
import { IMAGE_SIDE } from "../model/lenet5.ts";
import { STREAMS, randomWords, uniform } from "../random.ts";

const MAX_ROTATION_DEGREES = 12;
/** Share by which an image grows or shrinks at most. */
const MAX_SCALING = 0.1;
/** Pixels that a row moves for each pixel up or down, at most. */
const MAX_SHEAR = 0.15;
/** An eighth of half the width. */
const MAX_SHIFT_PIXELS = IMAGE_SIDE / 2 / 8;

/**
 * Where an output pixel comes from, in pixels from the image's centre:
 *
 *     sourceX = xx * x + xy * y + shiftX
 *     sourceY = yx * x + yy * y + shiftY
 */
export interface Affine {
  readonly xx: number;
  readonly xy: number;
  readonly yx: number;
  readonly yy: number;
  readonly shiftX: number;
  readonly shiftY: number;
}

const words = new Uint32Array(8);

/** The transform of a sample in an epoch: rotation * shear * scale, then shift, each uniform within its limits. */
export function randomAffine(seed: number, epoch: number, sample: number): Affine {
  randomWords(seed, STREAMS.augmentation, epoch, sample, words);
  const halfTurns = spread(0) * (MAX_ROTATION_DEGREES / 180);
  const scale = 1 + spread(1) * MAX_SCALING;
  const shear = spread(2) * MAX_SHEAR;
  const cosine = scale * cosPi(Math.abs(halfTurns));
  const sine = scale * cosPi(0.5 - halfTurns);
  return {
    xx: cosine,
    xy: cosine * shear - sine,
    yx: sine,
    yy: sine * shear + cosine,
    shiftX: spread(3) * MAX_SHIFT_PIXELS,
    shiftY: spread(4) * MAX_SHIFT_PIXELS,
  };
}

/** A random word as a number from -1 up to, not including, 1. */
function spread(index: number): number {
  return 2 * uniform(words[index]!) - 1;
}

// The image with one pixel of background all around, so that every neighbour of a pixel inside exists.
const FRAMED_SIDE = IMAGE_SIDE + 2;
const framed = new Uint8Array(FRAMED_SIDE * FRAMED_SIDE);

/** Coordinates are whole numbers of 2^-16 pixel. */
const ONE = 2 ** 16;

/**
 * Draws one 32x32 image through a transform, bilinear with background (0) outside, in its own place.
 *
 * Coordinates are rounded to 2^-16 pixel and weights down to 2^-8; the result is rounded to a byte.
 *
 * @param bytes the image's begin at `offset`
 */
export function drawAffine(affine: Affine, bytes: Uint8Array, offset: number): void {
  for (let y = 0; y < IMAGE_SIDE; y++) {
    const from = offset + y * IMAGE_SIDE;
    framed.set(bytes.subarray(from, from + IMAGE_SIDE), (y + 1) * FRAMED_SIDE + 1);
  }
  const stepX = Math.round(affine.xx * ONE);
  const stepY = Math.round(affine.yx * ONE);
  const centre = (IMAGE_SIDE - 1) / 2;
  for (let y = 0; y < IMAGE_SIDE; y++) {
    const to = offset + y * IMAGE_SIDE;
    // The row's first source, counted from the frame's corner, which is one pixel up and left of the image's.
    let sourceX = Math.round((affine.xx * -centre + affine.xy * (y - centre) + affine.shiftX + centre + 1) * ONE);
    let sourceY = Math.round((affine.yx * -centre + affine.yy * (y - centre) + affine.shiftY + centre + 1) * ONE);
    for (let x = 0; x < IMAGE_SIDE; x++) {
      const left = sourceX >> 16;
      const top = sourceY >> 16;
      let byte = 0;
      if (left >= 0 && left <= IMAGE_SIDE && top >= 0 && top <= IMAGE_SIDE) {
        const at = top * FRAMED_SIDE + left;
        const right = (sourceX >> 8) & 255;
        const bottom = (sourceY >> 8) & 255;
        const upper = framed[at]! * (256 - right) + framed[at + 1]! * right;
        const lower = framed[at + FRAMED_SIDE]! * (256 - right) + framed[at + FRAMED_SIDE + 1]! * right;
        byte = (upper * (256 - bottom) + lower * bottom + ONE / 2) >> 16;
      }
      bytes[to + x] = byte;
      sourceX += stepX;
      sourceY += stepY;
    }
  }
}
