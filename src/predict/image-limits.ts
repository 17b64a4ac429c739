/** How large a picture may be, and how it is refused. Pure. */

import { formatCount } from "../shared/format.ts";
import { LockstepError } from "../shared/errors.ts";

/** 6000x4000, what cameras make. Decoded it takes about a gigabyte at most, while the file may be a few bytes. */
export const MAX_PIXELS = 24_000_000;

/**
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when a picture of this size is not decoded
 */
export function requireSize(width: number, height: number, where: string): void {
  if (width < 1 || height < 1) throw refused(where, `has ${width}x${height} pixels: there is nothing on it`);
  if (width * height > MAX_PIXELS) {
    const found = `has ${formatCount(width)}x${formatCount(height)} pixels`;
    throw refused(where, `${found}; allowed: ${formatCount(MAX_PIXELS)} pixels in all; make it smaller`);
  }
}

/** @param problem goes on from the file's name */
export function refused(where: string, problem: string, cause?: unknown): LockstepError {
  return new LockstepError("refused", `${where} ${problem}`, cause === undefined ? undefined : { cause });
}
