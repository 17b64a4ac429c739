import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkFrames, KnownChecksums, withChecksums } from "../../../src/shared/transport/frame-checksums.ts";

const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 });

function problemOf(received: readonly Uint8Array[]): string {
  const checked = checkFrames(received);
  return "problem" in checked ? checked.problem : "";
}

test("the last frame holds the CRC-32 of each, little-endian", () => {
  // The check value of CRC-32: that of "123456789" is cbf43926.
  const [, , last] = withChecksums([Buffer.from("123456789"), new Uint8Array(0)]);
  expect([...last!]).toEqual([0x26, 0x39, 0xf4, 0xcb, 0, 0, 0, 0]);
});

test("what is unharmed is given as it was, wherever it lies", () => {
  fc.assert(
    fc.property(frames, fc.nat({ max: 3 }), (sent, offset) => {
      const received = withChecksums(sent).map((frame) => {
        const place = new Uint8Array(offset + frame.byteLength);
        place.set(frame, offset);
        return place.subarray(offset);
      });
      expect(checkFrames(received)).toEqual({ frames: sent });
    }),
  );
});

describe("a message is damaged", () => {
  test("by any bit that is another, be it of a checksum", () => {
    fc.assert(
      fc.property(frames, fc.nat(), (sent, chosen) => {
        const received = withChecksums(sent).map((frame) => frame.slice());
        const bits = received.flatMap((frame) =>
          Array.from({ length: frame.byteLength * 8 }, (_, bit) => [frame, bit]),
        );
        const [frame, bit] = bits[chosen % bits.length] as [Uint8Array, number];
        frame[bit >> 3]! ^= 1 << (bit & 7);
        expect(problemOf(received)).toMatch(
          /^a message was damaged on its way: frame \d, of \d+ bytes, has checksum [0-9a-f]{8} where /,
        );
      }),
    );
  });

  test("by a frame that is missing, that is of another message, or that comes at another place", () => {
    const whole = withChecksums([Buffer.from("a"), Buffer.from("b")]);
    const [a, b, last] = whole as [Uint8Array, Uint8Array, Uint8Array];
    for (const received of [[a, b], [a, last], [b, last], [last], [b, a, last], [a, ...whole], [...whole, ...whole]]) {
      expect(problemOf(received), received.join(" | ")).toMatch(/^a message was damaged on its way: \S/);
    }
  });

  test.each([
    ["nothing at all", [], "0 frames came with 0 bytes of checksums"],
    ["an empty frame", [""], "0 frames came with 0 bytes of checksums"],
    ["a message of a version without checksums", ["header", "payload"], "1 frames came with 7 bytes of checksums"],
  ])("when it is %s", (_, texts, problem) => {
    expect(problemOf(texts.map((text) => Buffer.from(text)))).toContain(problem);
  });
});

describe("known checksums", () => {
  test("are those of a frame that is a part of its buffer, whatever lay there before", () => {
    const known = new KnownChecksums();
    const buffer = new Uint8Array(8);
    const before = known.of(buffer.subarray(0, 4));
    buffer[0] = 1;
    expect(known.of(buffer.subarray(0, 4))).not.toBe(before);
    expect(known.of(buffer.subarray(4))).toBe(before);
  });

  test("are computed once for a frame that is all of its buffer, by whatever view it comes", () => {
    const known = new KnownChecksums();
    const values = Float32Array.of(1, 2, 3);
    const view = () => new Uint8Array(values.buffer);
    const first = known.of(view());
    expect(withChecksums([view()], (frame) => known.of(frame))).toEqual(withChecksums([view()]));
    // Nobody does this; here it shows that nothing was computed again.
    values[0] = 7;
    expect(known.of(view())).toBe(first);
  });
});
