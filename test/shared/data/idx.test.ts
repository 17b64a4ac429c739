import fc from "fast-check";
import { expect, test } from "vitest";
import { STORED_SIZE, encodeImages, encodeLabels, parseImages, parseLabels } from "../../../src/shared/data/idx.ts";
import { LockstepError } from "../../../src/shared/errors.ts";

const images = encodeImages(new Uint8Array(3 * STORED_SIZE).fill(7));
const labels = encodeLabels(Uint8Array.of(0, 9, 4));

test("images and labels survive a round trip", () => {
  const pixels = fc.nat(4).chain((count) => {
    const minLength = (count + 1) * STORED_SIZE;
    return fc.uint8Array({ minLength, maxLength: minLength });
  });
  fc.assert(
    fc.property(pixels, fc.uint8Array({ minLength: 1, max: 9 }), (somePixels, someLabels) => {
      expect(parseImages(encodeImages(somePixels), "images")).toEqual(somePixels);
      expect(parseLabels(encodeLabels(someLabels), "labels")).toEqual(someLabels);
    }),
    { numRuns: 20 },
  );
});

test("reads content that lies anywhere in a buffer, without copying it", () => {
  const buffer = new Uint8Array(labels.length + 10);
  buffer.set(labels, 5);
  const parsed = parseLabels(buffer.subarray(5, 5 + labels.length), "labels");
  expect([...parsed]).toEqual([0, 9, 4]);
  expect(parsed.buffer).toBe(buffer.buffer);
});

test("headers are the official ones", () => {
  expect([...images.subarray(0, 16)]).toEqual([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28]);
  expect([...labels.subarray(0, 8)]).toEqual([0, 0, 8, 1, 0, 0, 0, 3]);
});

test.each([
  { what: "empty", content: [], says: "x is empty; expected an IDX file of images; copy it again" },
  { what: "two bytes", content: [0, 0], says: "x is truncated: it has 2 bytes, fewer than the IDX header's 16" },
  { what: "half a header", content: images.subarray(0, 10), says: "x is truncated: it has 10 bytes" },
  { what: "labels", content: labels, says: "x holds labels where images are expected; are the two files swapped?" },
  {
    what: "a PNG",
    content: [0x89, 0x50, 0x4e, 0x47],
    says: "x is not an IDX file of images: it begins with 0x89504e47, expected 0x00000803",
  },
  {
    what: "an image short of a byte",
    content: images.subarray(0, -1),
    says: "x is truncated: its header promises 3 images, which take 2368 bytes, but it has 2367",
  },
  { what: "a byte too many", content: [...images, 1], says: "x has 1 byte too many after its last item" },
  { what: "no images", content: encodeImages(new Uint8Array()), says: "x holds no images; expected at least one" },
  {
    what: "32x32 images",
    content: images.with(11, 32).with(15, 32),
    says: "x holds images of 32x32 pixels; expected 28x28",
  },
])("refuses images: $what", ({ content, says }) => {
  expectRefusal(() => parseImages(Uint8Array.from(content), "x"), says);
});

test.each([
  { what: "images", content: images, says: "x holds images where labels are expected; are the two files swapped?" },
  { what: "no labels", content: encodeLabels(new Uint8Array()), says: "x holds no labels" },
  { what: "a label short", content: labels.subarray(0, -1), says: "x is truncated: its header promises 3 labels" },
  { what: "a label too many", content: [...labels, 1], says: "x has 1 byte too many" },
  { what: "label 10", content: labels.with(9, 10), says: "x: label 1 (counted from 0) is 10; the model knows only" },
])("refuses labels: $what", ({ content, says }) => {
  expectRefusal(() => parseLabels(Uint8Array.from(content), "x"), says);
});

test("anything at all is either read or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (content) => {
      for (const parse of [parseImages, parseLabels]) {
        try {
          parse(content, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(LockstepError);
        }
      }
    }),
  );
});

function expectRefusal(action: () => unknown, says: string): void {
  expect(action).toThrow(expect.objectContaining({ code: "refused", message: expect.stringContaining(says) }));
}
