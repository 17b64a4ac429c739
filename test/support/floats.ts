import fc from "fast-check";
import { expect } from "vitest";

/** Fails where two vectors differ in any bit, signs of zeros and NaNs included, and says where first. */
export function expectSameBits(found: Float32Array, expected: Float32Array, what = "vector"): void {
  expect(found.length, `length of ${what}`).toBe(expected.length);
  const [a, b] = [wordsOf(found), wordsOf(expected)];
  const at = a.findIndex((word, i) => word !== b[i]);
  if (at >= 0) expect.fail(`${what}[${at}] is ${found[at]}, expected ${expected[at]}`);
}

function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.slice().buffer);
}

/** Finite numbers whose sums depend on the order of the additions: signs are mixed and magnitudes far apart. */
export const roughFloat: fc.Arbitrary<number> = fc
  .tuple(fc.integer({ min: -(2 ** 23), max: 2 ** 23 }), fc.integer({ min: -30, max: 6 }))
  .map(([mantissa, exponent]) => Math.fround(mantissa * 2 ** exponent));

/** A small, fast source of uniform numbers in [0, 1) for bulk data (mulberry32). */
export function uniformFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Numbers spread over some orders of magnitude, of both signs. */
export function randomVector(length: number, seed: number): Float32Array {
  const uniform = uniformFrom(seed);
  return Float32Array.from({ length }, () => (uniform() - 0.5) * 10 ** (4 * uniform() - 3));
}
