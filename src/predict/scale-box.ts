/** Resizes a rectangle of numbers. Pure. */

import type { Box } from "./marks.ts";

/**
 * The values of a rectangle at another size: means of what each new pixel covers where it gets smaller, linear
 * interpolation where it gets larger.
 *
 * @param values [any, stride] of which `box` is taken
 * @returns [height, width], row by row
 */
export function scaleBox(
  values: ArrayLike<number>,
  stride: number,
  box: Box,
  width: number,
  height: number,
): Float64Array {
  const columns = shares(box.right - box.left + 1, width);
  const rows = shares(box.bottom - box.top + 1, height);
  const scaled = new Float64Array(width * height);
  for (const [y, fromRows] of rows.entries()) {
    for (const [x, fromColumns] of columns.entries()) {
      let sum = 0;
      for (const [row, rowShare] of fromRows) {
        const start = (box.top + row) * stride + box.left;
        for (const [column, columnShare] of fromColumns) sum += values[start + column]! * rowShare * columnShare;
      }
      scaled[y * width + x] = sum;
    }
  }
  return scaled;
}

type Share = readonly [from: number, share: number];

/** For each of `to` places along a line, which of `from` places it is made of, and in which shares. */
function shares(from: number, to: number): readonly (readonly Share[])[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) =>
    scale > 1 ? covered(place * scale, (place + 1) * scale, from) : between((place + 0.5) * scale - 0.5, from),
  );
}

function covered(start: number, end: number, from: number): Share[] {
  const found: Share[] = [];
  for (let place = Math.floor(start); place < Math.min(end, from); place++) {
    found.push([place, (Math.min(place + 1, end) - Math.max(place, start)) / (end - start)]);
  }
  return found;
}

function between(position: number, from: number): Share[] {
  const before = Math.floor(position);
  const weight = position - before;
  const inside = (place: number): number => Math.min(Math.max(place, 0), from - 1);
  return [
    [inside(before), 1 - weight],
    [inside(before + 1), weight],
  ];
}
