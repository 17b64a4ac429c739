import fc from "fast-check";
import { expect, test } from "vitest";
import { STORED_SIDE, STORED_SIZE } from "../../../src/shared/data/idx.ts";
import { NORMALISED, resize } from "../../../src/shared/data/preprocess.ts";
import { IMAGE_SIDE, IMAGE_SIZE } from "../../../src/shared/model/lenet5.ts";

const PYTORCH_LAST_ROW = [
  231, 127, 191, 159, 159, 191, 127, 223, 111, 207, 143, 175, 175, 143, 207, 111, 223, 127, 191, 159, 159, 191, 127,
  223, 111, 207, 143, 175, 175, 143, 207, 103,
];
const PYTORCH_LAST_COLUMN = [
  167, 219, 99, 75, 131, 187, 195, 43, 99, 155, 211, 123, 67, 123, 179, 219, 51, 91, 147, 203, 147, 59, 115, 171, 227,
  75, 83, 139, 195, 171, 51, 103,
];

test("resize agrees with the textbook formula in float64 to the last bit", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: STORED_SIZE, maxLength: STORED_SIZE }), (pixels) => {
      expect(resized(pixels)).toEqual(interpolated(pixels));
    }),
  );
});

test("resize keeps an even image as it is", () => {
  for (const byte of [0, 1, 254, 255]) {
    expect(new Set(resized(new Uint8Array(STORED_SIZE).fill(byte)))).toEqual(new Set([byte]));
  }
});

test("resize has PyTorch's bytes", () => {
  // torch.nn.functional.interpolate(p, (32, 32), mode="bilinear", align_corners=False) in float64, floor(x + 0.5), of
  // p[y][x] = (37 y + 101 x + x y) mod 256; the last row and the last column.
  const pixels = Uint8Array.from({ length: STORED_SIZE }, (_, index) => {
    const y = Math.floor(index / STORED_SIDE);
    const x = index % STORED_SIDE;
    return (37 * y + 101 * x + x * y) % 256;
  });
  const output = resized(pixels);
  expect([...output.subarray(31 * IMAGE_SIDE)]).toEqual(PYTORCH_LAST_ROW);
  const lastColumn = output.filter((_, index) => index % IMAGE_SIDE === 31);
  expect(lastColumn).toEqual(Uint8Array.from(PYTORCH_LAST_COLUMN));
});

test("resize reads and writes where it is told", () => {
  const pixels = Uint8Array.from({ length: 2 * STORED_SIZE }, (_, index) => index % 251);
  const output = new Uint8Array(3 * IMAGE_SIZE).fill(77);
  resize(pixels, STORED_SIZE, output, IMAGE_SIZE);
  expect(output.subarray(IMAGE_SIZE, 2 * IMAGE_SIZE)).toEqual(resized(pixels.subarray(STORED_SIZE)));
  expect(new Set([...output.subarray(0, IMAGE_SIZE), ...output.subarray(2 * IMAGE_SIZE)])).toEqual(new Set([77]));
});

test("normalises with the training set's mean and deviation", () => {
  expect(NORMALISED.length).toBe(256);
  NORMALISED.forEach((value, byte) => expect(value).toBeCloseTo((byte / 255 - 0.1307) / 0.3081, 6));
  // The bits that every machine must get.
  expect([NORMALISED[0], NORMALISED[128], NORMALISED[255]]).toEqual([
    -0.4242129325866699, 1.205000877380371, 2.821486473083496,
  ]);
});

function resized(pixels: Uint8Array): Uint8Array {
  const output = new Uint8Array(IMAGE_SIZE);
  resize(pixels, 0, output, 0);
  return output;
}

/** Bilinear interpolation as it is usually written down. */
function interpolated(pixels: Uint8Array): Uint8Array {
  const at = (y: number, x: number) => {
    const inside = (index: number) => Math.min(Math.max(index, 0), STORED_SIDE - 1);
    return pixels[inside(y) * STORED_SIDE + inside(x)]!;
  };
  return Uint8Array.from({ length: IMAGE_SIZE }, (_, index) => {
    const y = (Math.floor(index / IMAGE_SIDE) + 0.5) * (STORED_SIDE / IMAGE_SIDE) - 0.5;
    const x = ((index % IMAGE_SIDE) + 0.5) * (STORED_SIDE / IMAGE_SIDE) - 0.5;
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [down, right] = [y - top, x - left];
    const upper = at(top, left) * (1 - right) + at(top, left + 1) * right;
    const lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right;
    return Math.floor(upper * (1 - down) + lower * down + 0.5);
  });
}
