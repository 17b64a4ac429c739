/** Where the ink of a picture is and how strong. Pure. */

import { backgroundOf, isInkDark } from "./background.ts";
import type { GreyImage } from "./grey-image.ts";

/** Whether dark ink on light ground is turned into light on dark, as the network knows it; `auto` looks at the edge. */
export type Invert = "auto" | "yes" | "no";

export interface Ink {
  readonly width: number;
  readonly height: number;
  /** [height, width]: 0 no ink, 1 as strong as it gets in this picture. */
  readonly strength: Float32Array;
  /** How far the strongest ink is from what lies behind it, in brightness: 0 to 255. */
  readonly contrast: number;
  /** Whether the ink is darker than what lies behind it. */
  readonly isDark: boolean;
}

/** The strongest ink is that which this share of all inked pixels does not exceed: a single dark speck is not it. */
const PEAK_SHARE = 0.95;
/** Where a picture departs from its background by less than this share of its largest departure, there is no ink. */
const INKED_SHARE = 0.4;
/** What the edge's noise is multiplied by: weaker ink cannot be told from noise. */
const NOISE_FACTOR = 2;
/** However noisy the edge is, or how it is crossed by ink: ink beyond this share of the peak counts. */
const MAX_FLOOR_SHARE = 0.4;

export function inkOf(image: GreyImage, invert: Invert): Ink {
  const { width, height, pixels } = image;
  const background = backgroundOf(image);
  const isDark = invert === "auto" ? isInkDark(image, background) : invert === "yes";
  const strength = new Float32Array(width * height);
  let largest = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const above = pixels[i]! - background.at(x, y);
      strength[i] = Math.max(0, isDark ? -above : above);
      largest = Math.max(largest, strength[i]!);
    }
  }
  const peak = strongest(strength, largest);
  const floor = Math.min(NOISE_FACTOR * background.noise, MAX_FLOOR_SHARE * peak);
  for (let i = 0; i < strength.length; i++) {
    strength[i] = peak > floor ? Math.min(1, Math.max(0, (strength[i]! - floor) / (peak - floor))) : 0;
  }
  return { width, height, strength, contrast: peak, isDark };
}

/** Of what is inked at all. Counted in whole steps of brightness, since sorting a large picture takes long. */
function strongest(strength: Float32Array, largest: number): number {
  const counts = new Uint32Array(512);
  let inked = 0;
  for (const value of strength) {
    if (value <= INKED_SHARE * largest) continue;
    counts[Math.round(value)]! += 1;
    inked += 1;
  }
  let seen = 0;
  const level = counts.findIndex((count) => (seen += count) >= PEAK_SHARE * inked && seen > 0);
  return Math.max(0, Math.min(level, largest));
}
