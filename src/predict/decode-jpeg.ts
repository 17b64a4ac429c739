/** JPEG files. The only file that imports jpeg-js. */

import { decode } from "jpeg-js";
import { messageOf } from "../shared/errors.ts";
import { type GreyImage, greyOfRgba } from "./grey-image.ts";
import { MAX_PIXELS, refused, requireSize } from "./image-limits.ts";
import { readJpegHeader } from "./jpeg-header.ts";
import { turned } from "./orientation.ts";

/** What jpeg-js may ask for by its own count. The largest picture that is allowed takes 700 MB at most. */
const MAX_MEMORY_MB = 768;
/** Cameras and programs store a picture in up to about ten passes; each costs a look at all of it. */
const MAX_SCANS = 64;
const MAX_COMPONENTS = 4;

export function isJpeg(file: Uint8Array): boolean {
  return file[0] === 0xff && file[1] === 0xd8 && file[2] === 0xff;
}

/**
 * The picture, turned as its EXIF orientation says.
 *
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is too large, damaged or of a kind that is not read
 */
export function decodeJpeg(file: Uint8Array, where: string): GreyImage {
  const { width, height, components, scans, orientation } = readJpegHeader(file);
  if (width === undefined || height === undefined || components === undefined) {
    throw refused(where, "is a JPEG file without a picture, truncated or damaged; save it anew");
  }
  requireSize(width, height, where);
  if (components > MAX_COMPONENTS) {
    throw refused(where, `is a JPEG file of ${components} components; allowed: ${MAX_COMPONENTS}; save it anew`);
  }
  if (scans > MAX_SCANS) {
    throw refused(where, `is a JPEG file in ${scans} passes; allowed: ${MAX_SCANS}; save it anew`);
  }
  try {
    const decoded = decode(file, {
      useTArray: true,
      formatAsRGBA: true,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      maxMemoryUsageInMB: MAX_MEMORY_MB,
    });
    return turned(greyOfRgba(decoded.data, decoded.width, decoded.height), orientation);
  } catch (error) {
    throw refused(where, `cannot be decoded as a JPEG file (${messageOf(error)}); save it anew, or as PNG`, error);
  }
}
