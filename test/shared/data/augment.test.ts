import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drawAffine, randomAffine, type Affine } from "../../../src/shared/data/augment.ts";
import { NORMALISED } from "../../../src/shared/data/preprocess.ts";
import { IMAGE_SIDE, IMAGE_SIZE } from "../../../src/shared/model/lenet5.ts";

const IDENTITY: Affine = { xx: 1, xy: 0, yx: 0, yy: 1, shiftX: 0, shiftY: 0 };
const PICTURE = Uint8Array.from({ length: IMAGE_SIZE }, (_, index) => (index * 31 + (index >> 5) * 7) % 256);

test("transforms fill their limits and keep to them", () => {
  const affines = Array.from({ length: 3000 }, (_, sample) => randomAffine(1, 2, sample));
  const measures: Record<string, { limit: number; of: (affine: Affine) => number }> = {
    degrees: { limit: 12, of: ({ xx, yx }) => (Math.atan2(yx, xx) * 180) / Math.PI },
    scaling: { limit: 0.1, of: ({ xx, yx }) => Math.hypot(xx, yx) - 1 },
    shear: { limit: 0.15, of: ({ xx, xy, yx, yy }) => (xx * xy + yx * yy) / (xx * xx + yx * yx) },
    shiftX: { limit: 2, of: ({ shiftX }) => shiftX },
    shiftY: { limit: 2, of: ({ shiftY }) => shiftY },
  };
  for (const [name, { limit, of }] of Object.entries(measures)) {
    const values = affines.map(of);
    expect(Math.max(...values), name).toBeLessThan(limit + 1e-9);
    expect(Math.min(...values), name).toBeGreaterThan(-limit - 1e-9);
    expect(Math.max(...values), name).toBeGreaterThan(limit * 0.99);
    expect(Math.min(...values), name).toBeLessThan(-limit * 0.99);
  }
});

test("transforms are made of rotation, shear and one scale: areas grow by its square", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(), fc.nat(), (seed, epoch, sample) => {
      const { xx, xy, yx, yy } = randomAffine(seed, epoch, sample);
      expect(xx * yy - xy * yx).toBeCloseTo(xx * xx + yx * yx, 12);
    }),
  );
});

test("seed, epoch and sample each matter", () => {
  const affine = randomAffine(1, 2, 3);
  expect(randomAffine(1, 2, 3)).toEqual(affine);
  for (const other of [randomAffine(2, 2, 3), randomAffine(1, 3, 3), randomAffine(1, 2, 4)]) {
    expect(other).not.toEqual(affine);
  }
});

test("the identity only normalises", () => {
  expect(drawn(IDENTITY)).toEqual(Float32Array.from(PICTURE, (byte) => NORMALISED[byte]!));
});

test.each([
  {
    what: "a shift by whole pixels",
    affine: { ...IDENTITY, shiftX: 3, shiftY: -2 },
    sourceOf: (x: number, y: number) => [x + 3, y - 2],
  },
  {
    what: "a quarter turn",
    affine: { ...IDENTITY, xx: 0, xy: -1, yx: 1, yy: 0 },
    sourceOf: (x: number, y: number) => [31 - y, x],
  },
  { what: "a mirror", affine: { ...IDENTITY, xx: -1 }, sourceOf: (x: number, y: number) => [31 - x, y] },
  { what: "a shift out of sight", affine: { ...IDENTITY, shiftX: 40, shiftY: 0 }, sourceOf: () => [99, 99] },
])("$what moves pixels exactly, with background outside", ({ affine, sourceOf }) => {
  const expected = Float32Array.from({ length: IMAGE_SIZE }, (_, index) => {
    const [x, y] = sourceOf(index % IMAGE_SIDE, Math.floor(index / IMAGE_SIDE)) as [number, number];
    return NORMALISED[pixel(x, y)]!;
  });
  expect(drawn(affine)).toEqual(expected);
});

test("agrees with float64 interpolation within three bytes", () => {
  const tolerance = 3 * (NORMALISED[1]! - NORMALISED[0]!);
  for (let sample = 0; sample < 50; sample++) {
    const affine = randomAffine(1, 0, sample);
    const expected = interpolated(affine);
    drawn(affine).forEach((value, index) => {
      expect(Math.abs(value - expected[index]!)).toBeLessThan(tolerance);
    });
  }
});

test("reads and writes where it is told", () => {
  const bytes = new Uint8Array(3 * IMAGE_SIZE).fill(200);
  bytes.set(PICTURE, IMAGE_SIZE);
  const affine = randomAffine(1, 0, 0);
  drawAffine(affine, bytes, IMAGE_SIZE);
  const inside = bytes.subarray(IMAGE_SIZE, 2 * IMAGE_SIZE);
  expect(Float32Array.from(inside, (byte) => NORMALISED[byte]!)).toEqual(drawn(affine));
  expect(new Set([...bytes.subarray(0, IMAGE_SIZE), ...bytes.subarray(2 * IMAGE_SIZE)])).toEqual(new Set([200]));
});

test("has the bits that every machine must get", () => {
  const hash = createHash("sha256");
  for (let sample = 0; sample < 100; sample++) hash.update(drawn(randomAffine(1, 0, sample)));
  expect(hash.digest("hex")).toBe("8932c2d48016e9ec8695f87d224986dbb96b02c8210046e497745a0874161ef2");
});

function drawn(affine: Affine): Float32Array {
  const bytes = PICTURE.slice();
  drawAffine(affine, bytes, 0);
  return Float32Array.from(bytes, (byte) => NORMALISED[byte]!);
}

function pixel(x: number, y: number): number {
  const inside = x >= 0 && x < IMAGE_SIDE && y >= 0 && y < IMAGE_SIDE;
  return inside ? PICTURE[y * IMAGE_SIDE + x]! : 0;
}

function interpolated({ xx, xy, yx, yy, shiftX, shiftY }: Affine): number[] {
  return Array.from({ length: IMAGE_SIZE }, (_, index) => {
    const x = (index % IMAGE_SIDE) - 15.5;
    const y = Math.floor(index / IMAGE_SIDE) - 15.5;
    const sourceX = xx * x + xy * y + shiftX + 15.5;
    const sourceY = yx * x + yy * y + shiftY + 15.5;
    const [left, top] = [Math.floor(sourceX), Math.floor(sourceY)];
    const [right, down] = [sourceX - left, sourceY - top];
    const upper = pixel(left, top) * (1 - right) + pixel(left + 1, top) * right;
    const lower = pixel(left, top + 1) * (1 - right) + pixel(left + 1, top + 1) * right;
    return ((upper * (1 - down) + lower * down) / 255 - 0.1307) / 0.3081;
  });
}
