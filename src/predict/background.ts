/** What lies behind the ink, judged by the edge of the picture. Pure. */

import type { GreyImage } from "./grey-image.ts";

/** A shade that may change evenly from one side to the other, as light falls on paper. */
export interface Background {
  /** Brightness at a pixel, 0 to 255. */
  at(x: number, y: number): number;
  /** How far the edge's pixels are from it: nine tenths of them are no farther. */
  readonly noise: number;
}

/** Sides whose brightness differs by more than this do not lie on one sheet: ink touches one of them. */
const MAX_SLOPE = 64;
const NOISE_SHARE = 0.9;

export function backgroundOf(image: GreyImage): Background {
  const { width, height, pixels } = image;
  const rows = { top: row(image, 0), bottom: row(image, height - 1) };
  const columns = { left: column(image, 0), right: column(image, width - 1) };
  const edge = [...rows.top, ...rows.bottom, ...columns.left, ...columns.right];
  const level = median(edge);
  const sides = [rows.top, rows.bottom, columns.left, columns.right].map((side) => median(side));
  const [top = level, bottom = level, left = level, right = level] = sides;
  const even = Math.max(...sides) - Math.min(...sides) <= MAX_SLOPE;
  const slopeX = even && width > 1 ? (right - left) / (width - 1) : 0;
  const slopeY = even && height > 1 ? (bottom - top) / (height - 1) : 0;
  const middle = even ? (top + bottom + left + right) / 4 : level;
  const at = (x: number, y: number): number =>
    middle + slopeX * (x - (width - 1) / 2) + slopeY * (y - (height - 1) / 2);
  const deviations: number[] = [];
  for (let y = 0; y < height; y++) {
    const step = y === 0 || y === height - 1 ? 1 : Math.max(1, width - 1);
    for (let x = 0; x < width; x += step) deviations.push(Math.abs(pixels[y * width + x]! - at(x, y)));
  }
  return { at, noise: share(deviations, NOISE_SHARE) };
}

/** Whether the ink is darker than what lies behind it: whether the picture departs farther downwards than upwards. */
export function isInkDark(image: GreyImage, background: Background): boolean {
  let balance = 0;
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const above = image.pixels[y * image.width + x]! - background.at(x, y);
      balance += above * Math.abs(above);
    }
  }
  return balance < 0;
}

function row({ width, pixels }: GreyImage, y: number): Uint8Array {
  return pixels.subarray(y * width, (y + 1) * width);
}

function column({ width, height, pixels }: GreyImage, x: number): Uint8Array {
  return Uint8Array.from({ length: height }, (_, y) => pixels[y * width + x]!);
}

function median(values: ArrayLike<number>): number {
  return share(values, 0.5);
}

/** The value that this share of the values does not exceed. */
function share(values: ArrayLike<number>, part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}
