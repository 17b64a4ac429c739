import { gzipSync } from "node:zlib";
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { decodeFile } from "../../src/predict/decode-file.ts";
import { encodeImages } from "../../src/shared/data/idx.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { greyJpeg, greyPng, pngFile, type PngContent, withOrientation } from "../support/image-files.ts";

/** The shades of a file with a picture, and its size. */
function picture(file: Uint8Array) {
  const decoded = decodeFile(file, "a.png");
  if (decoded.type !== "picture") return expect.fail("a data set where a picture was expected");
  const { width, height, pixels } = decoded.image;
  return { size: [width, height], pixels: [...pixels] };
}

/** The sentence that refuses a file. */
function refusal(file: Uint8Array): string {
  try {
    decodeFile(file, "a.png");
  } catch (error) {
    expect(error).toBeInstanceOf(LockstepError);
    expect((error as LockstepError).code).toBe("refused");
    return (error as LockstepError).message;
  }
  return expect.fail("it was not refused");
}

/** The same file but for one bit. */
function changedAt(file: Uint8Array, place: number): Uint8Array {
  const changed = Uint8Array.from(file);
  changed[place]! ^= 1;
  return changed;
}

describe("PNG", () => {
  const bits = (depth: number, colourType: number, row: readonly number[], more: Partial<PngContent> = {}) =>
    pngFile({ width: 2, height: 1, depth, colourType, rows: Uint8Array.of(0, ...row), ...more });
  const palette = Uint8Array.of(0, 0, 0, 255, 255, 255, 100, 100, 100);

  test.each<[string, Buffer, number[]]>([
    ["grey, 1 bit", bits(1, 0, [0b0100_0000]), [0, 255]],
    ["grey, 2 bits", bits(2, 0, [0b0110_0000]), [85, 170]],
    ["grey, 4 bits", bits(4, 0, [0x0f]), [0, 255]],
    ["grey, 8 bits", bits(8, 0, [7, 200]), [7, 200]],
    ["grey, 16 bits", bits(16, 0, [0, 0, 0x80, 0x80]), [0, 128]],
    ["grey, one shade transparent", bits(8, 0, [7, 200], { transparency: Uint8Array.of(0, 7) }), [255, 200]],
    ["colours", bits(8, 2, [255, 0, 0, 0, 255, 0]), [76, 150]],
    ["colours, 16 bits", bits(16, 2, [255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0]), [76, 150]],
    ["palette, 1 bit", bits(1, 3, [0b1000_0000], { palette }), [255, 0]],
    ["palette, 8 bits", bits(8, 3, [2, 0], { palette }), [100, 0]],
    ["palette, one transparent", bits(8, 3, [2, 0], { palette, transparency: Uint8Array.of(0) }), [100, 255]],
    ["grey and alpha", bits(8, 4, [0, 255, 0, 51]), [0, 204]],
    ["grey and alpha, 16 bits", bits(16, 4, [0, 0, 255, 255, 0, 0, 0, 0]), [0, 255]],
    ["colours and alpha", bits(8, 6, [0, 0, 0, 0, 10, 10, 10, 255]), [255, 10]],
  ])("%s", (_, file, pixels) => {
    expect(picture(file)).toEqual({ size: [2, 1], pixels });
  });

  test("interlaced", () => {
    // 2x2: the first part has the first pixel, the sixth the one beside it, the seventh the second row.
    const rows = Uint8Array.of(0, 1, 0, 2, 0, 3, 4);
    const file = pngFile({ width: 2, height: 2, depth: 8, colourType: 0, isInterlaced: true, rows });
    expect(picture(file)).toEqual({ size: [2, 2], pixels: [1, 2, 3, 4] });
  });

  test("as a package writes it, and with something behind its end", () => {
    const png = new PNG({ width: 3, height: 2 });
    png.data.set(Array.from({ length: 6 }, (_, i) => [i * 40, i * 40, i * 40, 255]).flat());
    const file = Buffer.concat([PNG.sync.write(png), Buffer.from("left here by some program")]);
    expect(picture(file)).toEqual({ size: [3, 2], pixels: [0, 40, 80, 120, 160, 200] });
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      "large",
      pngFile({ width: 60_000, height: 60_000, depth: 1, colourType: 0, rows: new Uint8Array(8) }),
      /^a.png has 60,000x60,000 pixels; allowed: 24,000,000 pixels in all; make it smaller$/,
    ],
    [
      "without pixels",
      pngFile({ width: 0, height: 5, depth: 8, colourType: 0, rows: new Uint8Array(8) }),
      /has 0x5 pixels: there is nothing on it$/,
    ],
    [
      "with too few of them",
      bits(8, 0, [7]),
      /^a.png is a damaged PNG file \(its pixels take 2 bytes, not 3\); save it anew$/,
    ],
    [
      "a bomb",
      pngFile({ width: 2, height: 2, depth: 8, colourType: 0, isInterlaced: true, rows: new Uint8Array(50_000_000) }),
      /\(its pixels cannot be unpacked to 7 bytes\)/,
    ],
    ["with an index that its palette lacks", bits(8, 3, [2, 3], { palette }), /index 3 not in palette/],
    [
      "with a changed byte",
      changedAt(greyPng(new Uint8Array(100), 10), 45),
      /\(the checksum of its part "IDAT" is wrong\)/,
    ],
    [
      "cut off",
      greyPng(new Uint8Array(100), 10).subarray(0, 60),
      /^a.png is a truncated PNG file of 60 bytes; copy it again$/,
    ],
  ])("%s: is refused", (_, file, message) => {
    expect(refusal(file)).toMatch(message);
  });
});

describe("JPEG", () => {
  // Two shades on white: the first quarter, and the one right of it.
  const quarters = Uint8Array.from({ length: 32 * 16 }, (_, i) => (i < 32 * 8 ? (i % 32 < 16 ? 0 : 100) : 255));
  const jpeg = greyJpeg(quarters, 32, 95);

  /** The shades of the four quarters, as top left, top right, bottom left, bottom right. */
  function corners(file: Uint8Array): string {
    const { size, pixels } = picture(file);
    const [width = 0, height = 0] = size;
    const at = (x: number, y: number) => pixels[y * width + x]!;
    const near = (shade: number) => (shade < 50 ? "black" : shade < 180 ? "grey" : "white");
    const [right, bottom] = [width - 3, height - 3];
    return [at(2, 2), at(right, 2), at(2, bottom), at(right, bottom)].map(near).join(" ");
  }

  test("has the shades that were put in, within what compression costs", () => {
    const { size, pixels } = picture(jpeg);
    expect(size).toEqual([32, 16]);
    expect(Math.max(...pixels.map((shade, i) => Math.abs(shade - quarters[i]!)))).toBeLessThan(12);
  });

  // Where the stored first row and column belong, by the EXIF specification's table of orientations.
  test.each([
    [1, "black grey white white"],
    [2, "grey black white white"],
    [3, "white white grey black"],
    [4, "white white black grey"],
    [5, "black white grey white"],
    [6, "white black white grey"],
    [7, "white grey white black"],
    [8, "grey white black white"],
    [0, "black grey white white"],
    [9, "black grey white white"],
  ])("is turned as orientation %i says", (orientation, expected) => {
    expect(corners(withOrientation(jpeg, orientation, false))).toBe(expected);
    expect(corners(withOrientation(jpeg, orientation, true))).toBe(expected);
  });

  const withHeader = (change: (file: Buffer, frame: number) => void): Buffer => {
    const file = Buffer.from(jpeg);
    change(file, file.indexOf(Uint8Array.of(0xff, 0xc0)));
    return file;
  };
  test.each<[string, Uint8Array, RegExp]>([
    [
      "large",
      withHeader((file, frame) => file.writeUInt32BE(0xffff_ffff, frame + 5)),
      /^a.png has 65,535x65,535 pixels; allowed/,
    ],
    ["without pixels", withHeader((file, frame) => file.writeUInt32BE(0, frame + 5)), /has 0x0 pixels/],
    [
      "of many components, which would take gigabytes",
      withHeader((file, frame) => file.writeUInt8(255, frame + 9)),
      /^a.png is a JPEG file of 255 components; allowed: 4; save it anew$/,
    ],
    [
      "cut off in its pixels",
      jpeg.subarray(0, jpeg.length - 20),
      /^a.png cannot be decoded as a JPEG file \(.*\); save it anew, or as PNG$/,
    ],
    [
      "cut off in its header",
      jpeg.subarray(0, 20),
      /^a.png is a JPEG file without a picture, truncated or damaged; save it anew$/,
    ],
    [
      "in very many passes",
      Buffer.concat([jpeg.subarray(0, -2), ...Array.from({ length: 100 }, () => Uint8Array.of(0xff, 0xda, 0, 8))]),
      /^a.png is a JPEG file in 101 passes; allowed: 64/,
    ],
  ])("%s: is refused", (_, file, message) => {
    expect(refusal(file)).toMatch(message);
  });
});

describe("PGM", () => {
  test.each<[string, Uint8Array]>([
    ["as text", Buffer.from("P2\n# a comment\n2 2 # another\n15\n0 15\n3 12\n")],
    ["of bytes", Buffer.concat([Buffer.from("P5 2 2 255\n"), Uint8Array.of(0, 255, 51, 204)])],
    ["of 16 bits", Buffer.concat([Buffer.from("P5\n2\n2\n65535\n"), Uint8Array.of(0, 0, 255, 255, 51, 51, 204, 204)])],
  ])("%s", (_, file) => {
    expect(picture(file)).toEqual({ size: [2, 2], pixels: [0, 255, 51, 204] });
  });

  test.each([
    ["P2\n2 2\n15\n0 15 3", /^a.png is a damaged PGM file: pixel 3 is missing at byte 16; save it anew$/],
    ["P5 2 2 255\nabc", /^a.png is truncated: 3 bytes of 2x2 pixels of 1 are there; copy it again$/],
    ["P5 99999999999999999999 2 255\n", /pixels; allowed: 24,000,000/],
    ["P5 2 2 0\n", /has 0 as its largest value; allowed: 1 to 65535/],
    ["P5 two", /the width is missing at byte 3/],
  ])("%j: is refused", (text, message) => {
    expect(refusal(Buffer.from(text))).toMatch(message);
  });
});

describe("IDX", () => {
  const pixels = Uint8Array.from({ length: 2 * 784 }, (_, i) => i % 256);
  test.each([
    ["plain", encodeImages(pixels)],
    ["compressed", gzipSync(encodeImages(pixels))],
  ])("%s", (_, file) => {
    expect(decodeFile(file, "a.idx")).toEqual({ type: "stored", pixels, count: 2 });
  });

  test("compressed so that it would fill the memory: is refused", () => {
    expect(refusal(gzipSync(new Uint8Array(200_000_000)))).toMatch(/^a.png cannot be decompressed/);
  });
});

test("anything else is named by how it begins", () => {
  expect(refusal(Buffer.from("GIF89a"))).toBe(
    "a.png is no image that can be read here: it begins with the bytes 47 49 46 38; save it as PNG, JPEG or PGM",
  );
  expect(refusal(new Uint8Array(0))).toBe("a.png is empty; copy it again");
});

describe("damaged at any place", () => {
  const shades = Uint8Array.from({ length: 24 * 20 }, (_, i) => (i * 37) % 256);
  const coloured = pngFile({
    width: 6,
    height: 5,
    depth: 8,
    colourType: 6,
    isInterlaced: true,
    rows: new Uint8Array(140),
  });
  test.each<[string, Uint8Array]>([
    ["PNG", greyPng(shades, 24)],
    ["interlaced PNG", coloured],
    ["JPEG", withOrientation(greyJpeg(shades, 24, 50), 6, true)],
    ["PGM", Buffer.from("P2\n3 2\n9\n0 1 2\n3 4 5")],
    ["IDX", encodeImages(new Uint8Array(784))],
  ])("%s: is decoded or refused, and nothing else", (_, file) => {
    const step = Math.ceil(file.length / 400);
    let refused = 0;
    for (let at = 0; at < file.length; at += step) {
      const changed = Uint8Array.from(file);
      changed[at] = (changed[at]! + 1 + ((at * 89) % 254)) % 256;
      try {
        decodeFile(changed, "a");
      } catch (error) {
        if (!(error instanceof LockstepError)) throw error;
        refused += 1;
      }
      refusal(file.subarray(0, at));
    }
    expect(refused).toBeGreaterThan(0);
  });
});
