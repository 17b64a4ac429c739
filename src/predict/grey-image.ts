/** A picture as the preparation takes it, whatever file it came from. Pure. */

export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** [height, width] bytes, row by row: 0 black to 255 white. */
  readonly pixels: Uint8Array;
}

/** Weights of red, green and blue in what the eye sees as brightness (ITU-R BT.601), in thousandths. */
const [RED, GREEN, BLUE] = [299, 587, 114];

/**
 * The brightness of a colour picture that lies on white paper: what is transparent is white.
 *
 * @param rgba [height, width, 4] bytes; alpha 0 is transparent
 */
export function greyOfRgba(rgba: Uint8Array, width: number, height: number): GreyImage {
  const pixels = new Uint8Array(width * height);
  for (let i = 0; i < pixels.length; i++) {
    const brightness = RED * rgba[i * 4]! + GREEN * rgba[i * 4 + 1]! + BLUE * rgba[i * 4 + 2]!;
    const alpha = rgba[i * 4 + 3]!;
    pixels[i] = Math.round((brightness * alpha + 255_000 * (255 - alpha)) / 255_000);
  }
  return { width, height, pixels };
}

/** The picture made smaller by a whole factor, with means of squares of pixels, so that no side is longer than `side`. */
export function reduced(image: GreyImage, side: number): GreyImage {
  const factor = Math.ceil(Math.max(image.width, image.height) / side);
  if (factor <= 1) return image;
  // The last row and column of squares hold fewer pixels.
  const [width, height] = [Math.ceil(image.width / factor), Math.ceil(image.height / factor)];
  const sums = new Uint32Array(width * height);
  const counts = new Uint32Array(width * height);
  for (let y = 0; y < image.height; y++) {
    const row = Math.floor(y / factor) * width;
    for (let x = 0; x < image.width; x++) {
      const place = row + Math.floor(x / factor);
      sums[place]! += image.pixels[y * image.width + x]!;
      counts[place]! += 1;
    }
  }
  return { width, height, pixels: Uint8Array.from(sums, (sum, place) => Math.round(sum / counts[place]!)) };
}
