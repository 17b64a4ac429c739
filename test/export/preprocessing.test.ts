import fc from "fast-check";
import { expect, test } from "vitest";
import { normalisationTable, stretchMatrix, stretchMatrixTransposed } from "../../src/export/preprocessing.ts";
import { STORED_SIDE, STORED_SIZE } from "../../src/shared/data/idx.ts";
import { NORMALISED, resize } from "../../src/shared/data/preprocess.ts";
import { IMAGE_SIDE, IMAGE_SIZE } from "../../src/shared/model/lenet5.ts";

const images = fc.uint8Array({ minLength: STORED_SIZE, maxLength: STORED_SIZE });

test.each(["first", "last"])("matrices and table give the bits of training's inputs, rows %s", (order) => {
  fc.assert(
    fc.property(images, (pixels) => {
      const resized = new Uint8Array(IMAGE_SIZE);
      resize(pixels, 0, resized, 0);
      const expected = Float32Array.from(resized, (byte) => NORMALISED[byte]!);

      const [left, right] = [stretchMatrix().values, stretchMatrixTransposed().values];
      const image = Float32Array.from(pixels);
      const stretched =
        order === "first"
          ? product(product(left, image, STORED_SIDE), right, STORED_SIDE)
          : product(left, product(image, right, STORED_SIDE), STORED_SIDE);
      const table = normalisationTable().values;
      expect(stretched.map((value) => table[Math.floor(Math.fround(value + 0.5))]!)).toEqual(expected);
    }),
    { numRuns: 20 },
  );
  expect(stretchMatrix().shape).toEqual([IMAGE_SIDE, STORED_SIDE]);
});

/** Of two matrices, [rows, shared] and [shared, columns], each sum rounded to float32 after each term. */
function product(left: Float32Array, right: Float32Array, shared: number): Float32Array {
  const [rows, columns] = [left.length / shared, right.length / shared];
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let i = 0; i < shared; i++) {
      sum = Math.fround(sum + Math.fround(left[row * shared + i]! * right[i * columns + column]!));
    }
    return sum;
  });
}
