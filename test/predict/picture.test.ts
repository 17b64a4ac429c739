import { expect, test } from "vitest";
import { pictureOf } from "../../src/predict/picture.ts";

const pixels = new Uint8Array(784);
// Above each other in the first column, and one beside them in each way.
pixels.set([200, 200, 0, 9]);
pixels.set([130, 0, 130, 5], 28);

test("without colours two pixels become a block, half a block or none", () => {
  const lines = pictureOf(pixels, { coloured: false, columns: 80 });
  expect(lines).toHaveLength(14);
  expect(lines.slice(0, 2)).toEqual(["█▀▄", ""]);
});

test("with colours each has its shade, and the line gives the terminal its own colours back", () => {
  const [line = ""] = pictureOf(pixels, { coloured: true, columns: 28 });
  expect(line.match(/▀/g)).toHaveLength(28);
  expect(line.startsWith("\u001B[38;2;200;200;200;48;2;130;130;130m▀")).toBe(true);
  expect(line).toContain("\u001B[38;2;9;9;9;48;2;5;5;5m▀");
  expect(line.endsWith("▀\u001B[0m")).toBe(true);
});

test("a terminal that is too narrow gets none", () => {
  expect(pictureOf(pixels, { coloured: true, columns: 27 })).toEqual([]);
});
