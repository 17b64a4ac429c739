import { STORED_SIDE, STORED_SIZE } from "../../src/shared/data/idx.ts";
import type { GreyImage } from "../../src/predict/grey-image.ts";

/** MNIST's images as somebody might have drawn or photographed them. */

export interface Drawn {
  readonly width: number;
  readonly height: number;
  /** Pixels that a stored pixel becomes, in each direction. */
  readonly scale: number;
  readonly left: number;
  readonly top: number;
  /** Interpolates between pixels; otherwise each becomes a square, for which `scale` has to be a whole number. */
  readonly isSmooth?: boolean;
}

/** @param stored [28, 28] bytes, 0 for background; so is the result */
export function drawn(stored: Uint8Array, { width, height, scale, left, top, isSmooth = true }: Drawn): GreyImage {
  const at = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= STORED_SIDE || y >= STORED_SIDE ? 0 : stored[y * STORED_SIDE + x]!;
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => {
    const x = (i % width) - left;
    const y = Math.floor(i / width) - top;
    if (!isSmooth) return at(Math.floor(x / scale), Math.floor(y / scale));
    const [u, v] = [(x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5];
    const [x0, y0] = [Math.floor(u), Math.floor(v)];
    const upper = at(x0, y0) * (1 - (u - x0)) + at(x0 + 1, y0) * (u - x0);
    const lower = at(x0, y0 + 1) * (1 - (u - x0)) + at(x0 + 1, y0 + 1) * (u - x0);
    return Math.round(upper * (1 - (v - y0)) + lower * (v - y0));
  });
  return { width, height, pixels };
}

/** Dark becomes light, and light dark. */
export function negative(image: GreyImage): GreyImage {
  return { ...image, pixels: image.pixels.map((value) => 255 - value) };
}

/** The image with this index of a split's pixels. */
export function storedImage(pixels: Uint8Array, index: number): Uint8Array {
  return pixels.slice(index * STORED_SIZE, (index + 1) * STORED_SIZE);
}
