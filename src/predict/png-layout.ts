/** How many bytes the pixels of a PNG file take, unpacked. Pure. */

/** See the PNG specification (ISO/IEC 15948), section 11.2.2. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly depth: number;
  readonly colourType: number;
  readonly isInterlaced: boolean;
}

/** Samples of a pixel for each colour type: grey, colours, palette, grey with alpha, colours with alpha. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The seven parts of an interlaced image (section 8.2): first column and row, and the steps to the next ones. */
const PARTS = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const ALL_AT_ONCE = [[0, 0, 1, 1]] as const;

/** Of all rows, each with a byte before it that names its filter. Undefined for a colour type that does not exist. */
export function pngDataBytes({ width, height, depth, colourType, isInterlaced }: PngHeader): number | undefined {
  const samples = SAMPLES[colourType];
  if (samples === undefined) return undefined;
  let bytes = 0;
  for (const [left, top, stepX, stepY] of isInterlaced ? PARTS : ALL_AT_ONCE) {
    const columns = Math.max(0, Math.ceil((width - left) / stepX));
    const rows = Math.max(0, Math.ceil((height - top) / stepY));
    if (columns > 0) bytes += rows * (1 + Math.ceil((columns * samples * depth) / 8));
  }
  return bytes;
}
