import fc from "fast-check";
import { expect, test } from "vitest";
import { STREAMS, below, philox4x32, randomWords, uniform } from "../../src/shared/random.ts";

// Random123's kat_vectors for philox4x32-10.
test.each([
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const)("philox4x32-10 known answer for counter $counter", ({ counter, key, words }) => {
  const out = new Uint32Array(4);
  philox4x32(counter, key[0], key[1], out, 0);
  expect([...out]).toEqual(words);
});

test("philox4x32-10 agrees with 64-bit integer arithmetic", () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), word, word, (counter, keyLow, keyHigh) => {
      const out = new Uint32Array(4);
      philox4x32(counter, keyLow, keyHigh, out, 0);
      expect([...out]).toEqual(reference(counter, keyLow, keyHigh));
    }),
  );
});

test("both halves of the seed, the stream and both counters matter", () => {
  const draws = [
    words(1, STREAMS.shuffle, 2, 3),
    words(2, STREAMS.shuffle, 2, 3),
    words(1 + 2 ** 32, STREAMS.shuffle, 2, 3),
    words(Number.MAX_SAFE_INTEGER, STREAMS.shuffle, 2, 3),
    words(1, STREAMS.augmentation, 2, 3),
    words(1, STREAMS.shuffle, 3, 3),
    words(1, STREAMS.shuffle, 2, 2),
    words(1, STREAMS.shuffle, 3, 2),
  ];
  expect(new Set(draws.map(String)).size).toBe(draws.length);
});

test("a longer draw begins with the shorter one", () => {
  expect(words(7, STREAMS.augmentation, 1, 2, 12).slice(0, 4)).toEqual(words(7, STREAMS.augmentation, 1, 2, 4));
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])("seed %s is a broken invariant", (seed) => {
  expect(() => words(seed, STREAMS.shuffle, 0, 0)).toThrow(`seed ${seed}`);
});

test.each([-1, 0.5, 2 ** 32])("counter %s is a broken invariant", (counter) => {
  expect(() => words(1, STREAMS.shuffle, counter, 0)).toThrow(`counters ${counter}`);
  expect(() => words(1, STREAMS.shuffle, 0, counter)).toThrow(`and ${counter}`);
});

test("uniform covers [0, 1) in steps that float32 holds", () => {
  expect(uniform(0)).toBe(0);
  expect(uniform(0xffffffff)).toBe(1 - 2 ** -24);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (word) => Math.fround(uniform(word)) === uniform(word)),
  );
});

test("uniform has the mean and variance of a uniform distribution", () => {
  const values = words(1, STREAMS.initialisation, 0, 0, 40_000).map(uniform);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean - 1 / 2)).toBeLessThan(0.006);
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002);
});

test("below reaches both ends and no further", () => {
  expect(below(10, 0)).toBe(0);
  expect(below(10, 0xffffffff)).toBe(9);
  expect(below(0xffffffff, 0xffffffff)).toBe(0xfffffffe);
  expect(below(1, 0xffffffff)).toBe(0);
});

function words(
  seed: number,
  stream: (typeof STREAMS)[keyof typeof STREAMS],
  a: number,
  b: number,
  count = 4,
): number[] {
  const out = new Uint32Array(count);
  randomWords(seed, stream, a, b, out);
  return [...out];
}

/** The paper's definition, in BigInt. */
function reference(counter: readonly [number, number, number, number], keyLow: number, keyHigh: number): number[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = [BigInt(keyLow), BigInt(keyHigh)];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}
