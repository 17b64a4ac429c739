/** How a camera was held. Pure. */

import type { GreyImage } from "./grey-image.ts";

/** EXIF's numbers for where the first row and column of the stored picture belong. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export function isOrientation(value: number): value is Orientation {
  return Number.isInteger(value) && value >= 1 && value <= 8;
}

/** The picture upright. */
export function turned(image: GreyImage, orientation: Orientation): GreyImage {
  if (orientation === 1) return image;
  const isOnSide = orientation >= 5;
  const [width, height] = isOnSide ? [image.height, image.width] : [image.width, image.height];
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = source(orientation, x, y, image.width - 1, image.height - 1);
      pixels[y * width + x] = image.pixels[fromY * image.width + fromX]!;
    }
  }
  return { width, height, pixels };
}

/** Where the pixel at (x, y) of the upright picture is stored. */
function source(orientation: Orientation, x: number, y: number, right: number, bottom: number): [number, number] {
  switch (orientation) {
    case 1:
      return [x, y];
    case 2:
      return [right - x, y];
    case 3:
      return [right - x, bottom - y];
    case 4:
      return [x, bottom - y];
    case 5:
      return [y, x];
    case 6:
      return [y, bottom - x];
    case 7:
      return [right - y, bottom - x];
    case 8:
      return [right - y, x];
    default:
      return orientation satisfies never;
  }
}
