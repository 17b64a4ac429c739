/** From a file's bytes to its picture or pictures, by what they begin with. */

import { gunzipSync } from "node:zlib";
import { parseImages, STORED_SIZE } from "../shared/data/idx.ts";
import { messageOf } from "../shared/errors.ts";
import { decodeJpeg, isJpeg } from "./decode-jpeg.ts";
import { decodePgm, isPgm } from "./decode-pgm.ts";
import { decodePng, isPng } from "./decode-png.ts";
import type { GreyImage } from "./grey-image.ts";
import { refused } from "./image-limits.ts";

/** `picture`: one of any size. `stored`: images of a data set, [count, 28, 28] bytes, prepared already. */
export type Decoded =
  | { readonly type: "picture"; readonly image: GreyImage }
  | { readonly type: "stored"; readonly pixels: Uint8Array; readonly count: number };

/** The largest file that is read, and the most that a compressed one may become. MNIST's largest has 47 million bytes. */
export const MAX_FILE_BYTES = 128 * 2 ** 20;

/**
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is nothing that can be read, too large, truncated or damaged
 */
export function decodeFile(file: Uint8Array, where: string): Decoded {
  if (file.length === 0) throw refused(where, "is empty; copy it again");
  if (isPng(file)) return { type: "picture", image: decodePng(file, where) };
  if (isJpeg(file)) return { type: "picture", image: decodeJpeg(file, where) };
  if (isPgm(file)) return { type: "picture", image: decodePgm(file, where) };
  if (isIdx(file)) return stored(file, where);
  if (file[0] === 0x1f && file[1] === 0x8b) return stored(unzipped(file, where), where);
  throw refused(where, `is no image that can be read here: ${begins(file)}; save it as PNG, JPEG or PGM`);
}

/** IDX files begin with two zeros. */
function isIdx(file: Uint8Array): boolean {
  return file[0] === 0 && file[1] === 0 && file[2] === 8;
}

function stored(content: Uint8Array, where: string): Decoded {
  const pixels = parseImages(content, where);
  return { type: "stored", pixels, count: pixels.length / STORED_SIZE };
}

function unzipped(file: Uint8Array, where: string): Uint8Array {
  try {
    return gunzipSync(file, { maxOutputLength: MAX_FILE_BYTES });
  } catch (error) {
    throw refused(where, `cannot be decompressed (${messageOf(error)}); copy it again`, error);
  }
}

function begins(file: Uint8Array): string {
  const first = [...file.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `it begins with the bytes ${first}`;
}
