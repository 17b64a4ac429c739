import fc from "fast-check";
import { expect, test } from "vitest";
import { STORED_SIZE } from "../../../src/shared/data/idx.ts";
import { resize } from "../../../src/shared/data/preprocess.ts";
import { Resizer } from "../../../src/shared/data/resizer.ts";
import { IMAGE_SIZE } from "../../../src/shared/model/lenet5.ts";

const resizer = new Resizer();

function plain(pixels: Uint8Array, index: number): Uint8Array {
  const output = new Uint8Array(IMAGE_SIZE);
  resize(pixels, index * STORED_SIZE, output, 0);
  return output;
}

test("computes the bytes of the plain form for any image", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: STORED_SIZE, maxLength: STORED_SIZE }), (pixels) => {
      resizer.put(0, pixels, 0);
      expect(resizer.resize(1)).toEqual(plain(pixels, 0));
    }),
  );
});

test("and at the ends of the range", () => {
  for (const byte of [0, 1, 127, 128, 254, 255]) {
    const pixels = new Uint8Array(STORED_SIZE).fill(byte);
    resizer.put(0, pixels, 0);
    expect(new Set(resizer.resize(1))).toEqual(new Set([byte]));
  }
});

test("keeps as many images apart as it has room for", () => {
  const pixels = Uint8Array.from({ length: 40 * STORED_SIZE }, (_, i) => (i * 7919) % 256);
  for (let place = 0; place < Resizer.CAPACITY; place++) resizer.put(place, pixels, 39 - place);
  const output = resizer.resize(Resizer.CAPACITY);
  for (let place = 0; place < Resizer.CAPACITY; place++) {
    expect(output.subarray(place * IMAGE_SIZE, (place + 1) * IMAGE_SIZE)).toEqual(plain(pixels, 39 - place));
  }
});
