/** PGM files (netpbm's portable graymap), binary or as text. Pure. */

import type { GreyImage } from "./grey-image.ts";
import { refused, requireSize } from "./image-limits.ts";

export function isPgm(file: Uint8Array): boolean {
  return file[0] === 0x50 && (file[1] === 0x32 || file[1] === 0x35) && isSpace(file[2] ?? 0);
}

/**
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is too large or damaged
 */
export function decodePgm(file: Uint8Array, where: string): GreyImage {
  const isText = file[1] === 0x32;
  let at = 2;
  const number = (what: string): number => {
    while (isSpace(file[at] ?? 0) || file[at] === HASH) {
      // A comment goes up to the end of the line.
      if (file[at] === HASH) while (at < file.length && file[at] !== NEWLINE) at += 1;
      else at += 1;
    }
    let value = 0;
    const start = at;
    for (; isDigit(file[at] ?? 0) && value <= MAX_NUMBER; at++) value = value * 10 + file[at]! - ZERO;
    if (at === start) throw refused(where, `is a damaged PGM file: ${what} is missing at byte ${at}; save it anew`);
    return value;
  };
  const [width, height, largest] = [number("the width"), number("the height"), number("the largest value")];
  requireSize(width, height, where);
  if (largest < 1 || largest > 0xffff) throw refused(where, `has ${largest} as its largest value; allowed: 1 to 65535`);
  const pixels = new Uint8Array(width * height);
  const shade = (value: number): number => Math.round((Math.min(value, largest) / largest) * 255);
  if (isText) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = shade(number(`pixel ${i}`));
    return { width, height, pixels };
  }
  const bytes = largest > 255 ? 2 : 1;
  // One white space divides the header from the pixels.
  const start = at + 1;
  if (file.length < start + pixels.length * bytes) {
    const found = Math.max(0, file.length - start);
    throw refused(
      where,
      `is truncated: ${found} bytes of ${width}x${height} pixels of ${bytes} are there; copy it again`,
    );
  }
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = shade(bytes === 1 ? file[start + i]! : file[start + i * 2]! * 256 + file[start + i * 2 + 1]!);
  }
  return { width, height, pixels };
}

const [ZERO, NINE, HASH, NEWLINE] = [0x30, 0x39, 0x23, 0x0a];
/** Larger than all that is allowed; keeps a long row of digits from becoming infinite. */
const MAX_NUMBER = 1e9;

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
