import { describe, expect, test } from "vitest";
import type { GreyImage } from "../../src/predict/grey-image.ts";
import { type Fit, prepareImage } from "../../src/predict/prepare-image.ts";
import type { Invert } from "../../src/predict/ink.ts";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { drawn, negative, storedImage } from "../support/drawn-digits.ts";

const { test: mnist } = await loadDataset();
const DIGITS = Array.from({ length: 60 }, (_, i) => storedImage(mnist.pixels, i));
const LARGE = { width: 200, height: 180, scale: 5, left: 30, top: 20, isSmooth: false };

const prepared = (image: GreyImage, invert: Invert = "auto", fit: Fit = "yes") => prepareImage(image, { invert, fit });
const plain = (shade: number, width = 50, height = 40): GreyImage => ({
  ...{ width, height },
  pixels: new Uint8Array(width * height).fill(shade),
});

/** Where there is anything, as [left, top, right, bottom], and the centre of mass. */
function extent(pixels: Uint8Array) {
  const inked = [...pixels.keys()].filter((i) => pixels[i]! > 0);
  const [xs, ys] = [inked.map((i) => i % 28), inked.map((i) => Math.floor(i / 28))];
  const mass = inked.reduce((sum, i) => sum + pixels[i]!, 0);
  const mean = (places: number[]) => places.reduce((sum, place, k) => sum + place * pixels[inked[k]!]!, 0) / mass;
  return {
    ...{ left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) },
    ...{ massX: mean(xs), massY: mean(ys) },
  };
}

/** The largest difference of two prepared images, in shades of 255. */
function difference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe("a drawn digit", () => {
  test("becomes 20 pixels long, with its mass in the middle", () => {
    for (const digit of DIGITS) {
      const { left, top, right, bottom, massX, massY } = extent(prepared(negative(drawn(digit, LARGE))).pixels);
      expect(Math.max(right - left, bottom - top) + 1).toBe(20);
      expect(Math.abs(massX - 14)).toBeLessThan(0.6);
      expect(Math.abs(massY - 14)).toBeLessThan(0.6);
    }
  });

  test("comes out the same, whatever its size, place and colour", () => {
    for (const digit of DIGITS) {
      const bold = digit.map((value) => (value >= 85 ? value : 0));
      const expected = prepared({ width: 28, height: 28, pixels: bold });
      expect(expected.inverted).toBe(false);
      const images: [GreyImage, boolean][] = [
        [drawn(bold, { ...LARGE, left: 0, top: 0 }), false],
        [drawn(bold, { ...LARGE, scale: 3, left: 90, top: 70 }), false],
        [negative(drawn(bold, LARGE)), true],
      ];
      for (const [image, inverted] of images) {
        const found = prepared(image);
        expect(found.inverted).toBe(inverted);
        expect(difference(found.pixels, expected.pixels)).toBeLessThanOrEqual(1);
      }
    }
  });

  test("keeps its shape in light that falls off, on grey paper, with specks of dust", () => {
    for (const digit of DIGITS.slice(0, 20)) {
      const clean = drawn(digit, LARGE);
      const expected = prepared(clean).pixels;
      const pixels = clean.pixels.map((value, i) => {
        const shadow = ((i % LARGE.width) - 100) / 5 + (Math.floor(i / LARGE.width) - 90) / 6;
        return 160 + Math.round(shadow) - Math.round(value * 0.4);
      });
      for (const speck of [3 * LARGE.width + 5, 170 * LARGE.width + 190]) pixels[speck] = 0;
      const found = prepared({ ...clean, pixels });
      expect(found).toMatchObject({ inverted: true });
      const [a, b] = [extent(found.pixels), extent(expected)];
      expect(
        [a.left, a.top, a.right, a.bottom].map(
          (edge, i) => Math.abs(edge - [b.left, b.top, b.right, b.bottom][i]!) <= 1,
        ),
      ).toEqual([true, true, true, true]);
    }
  });

  test("is turned or not as one insists", () => {
    const light = drawn(DIGITS[0]!, LARGE);
    expect(prepared(light, "no").pixels).toEqual(prepared(negative(light), "yes").pixels);
    expect(prepared(light, "yes").blank).toBe("empty");
  });

  test("larger than a photograph is taken as well", () => {
    const side = 3000;
    const large = prepared(drawn(DIGITS[0]!, { width: side, height: side, scale: 100, left: 90, top: 110 }));
    const small = prepared(drawn(DIGITS[0]!, { width: 300, height: 300, scale: 10, left: 9, top: 11 }));
    expect(difference(large.pixels, small.pixels)).toBeLessThan(40);
  });
});

describe("a picture of 28x28 pixels", () => {
  const pixels = DIGITS[3]!;
  const image = { width: 28, height: 28, pixels };

  test("is taken as it is", () => {
    expect(prepared(image, "auto", "auto")).toEqual({ pixels, inverted: false });
    expect(prepared(negative(image), "auto", "auto")).toEqual({ pixels, inverted: true });
  });

  test("is fitted on demand", () => {
    const small = drawn(pixels, { width: 28, height: 28, scale: 0.5, left: 1, top: 2 });
    expect(extent(prepared(small, "auto", "auto").pixels).right).toBeLessThan(14);
    expect(extent(prepared(small, "auto", "yes").pixels).massX).toBeCloseTo(14, 0);
  });
});

test("without fitting, all of the picture is scaled into the middle", () => {
  const { pixels, inverted } = prepared(plain(200, 56, 28), "no", "no");
  expect([inverted, extent(pixels)]).toMatchObject([false, { left: 0, right: 27, top: 7, bottom: 20 }]);
  expect(new Set(pixels)).toEqual(new Set([0, 200]));
});

describe("a picture with nothing on it", () => {
  const noise = (shade: number) => ({
    ...plain(shade),
    pixels: Uint8Array.from({ length: 2000 }, (_, i) => shade + ((i * 7919) % 11)),
  });
  test.each([
    ["white", plain(255), "empty"],
    ["black", plain(0), "empty"],
    ["a pixel", plain(9, 1, 1), "empty"],
    ["a row", plain(9, 70, 1), "empty"],
    ["noise", noise(120), "nearly uniform"],
    ["28x28 of one shade", plain(77, 28, 28), "empty"],
  ])("%s: is found out", (_, image, blank) => {
    expect(prepared(image, "auto", "auto").blank).toBe(blank);
  });

  test("does not hide a thin stroke, nor a noisy picture with thousands of marks", () => {
    const stroke = plain(255, 900, 900);
    for (let y = 300; y < 600; y++) stroke.pixels[y * 900 + 450] = 0;
    expect(prepared(stroke).blank).toBeUndefined();
    const marks = plain(255, 1000, 1000);
    for (let i = 0; i < marks.pixels.length; i += 4) if (Math.floor(i / 1000) % 3 === 0) marks.pixels[i] = 0;
    expect(prepared(marks)).toMatchObject({ inverted: true });
  });
});
