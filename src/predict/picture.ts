/** A prepared image in a terminal: two pixels in each character, one above the other. Pure. */

import { STORED_SIDE } from "../shared/data/idx.ts";

/** Without colours a pixel is either there or not. */
const THERE = 128;
const RESET = "\u001B[0m";

export interface PictureOptions {
  /** Shades of grey, for terminals that know 16 million colours; otherwise characters alone. */
  readonly coloured: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** @returns the lines, or none where the terminal is too narrow */
export function pictureOf(pixels: Uint8Array, { coloured, columns }: PictureOptions): readonly string[] {
  if (columns < STORED_SIDE) return [];
  return Array.from({ length: STORED_SIDE / 2 }, (_, line) => {
    const pairs = Array.from({ length: STORED_SIDE }, (_unused, x): [upper: number, lower: number] => {
      const upper = line * 2 * STORED_SIDE + x;
      return [pixels[upper]!, pixels[upper + STORED_SIDE]!];
    });
    return coloured ? `${pairs.map(shades).join("")}${RESET}` : pairs.map(blocks).join("").trimEnd();
  });
}

function shades([upper, lower]: [number, number]): string {
  return `\u001B[38;2;${upper};${upper};${upper};48;2;${lower};${lower};${lower}m▀`;
}

function blocks([upper, lower]: [number, number]): string {
  if (upper >= THERE) return lower >= THERE ? "█" : "▀";
  return lower >= THERE ? "▄" : " ";
}
