/**
 * Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3", section 3.3).
 *
 * There is no generator state. A number depends only on what it is for (the seed, the stream and two counters), so it
 * is the same whoever asks, whenever, and however many other numbers were drawn before.
 */

import { invariant } from "./errors.ts";

/** What random numbers are used for. Different streams of one seed are independent of each other. */
export const STREAMS = {
  initialisation: 1,
  shuffle: 2,
  augmentation: 3,
  validation: 4,
} as const;

export type Stream = (typeof STREAMS)[keyof typeof STREAMS];

/**
 * Fills `out` with random 32-bit words, whose length must be a multiple of four.
 *
 * @param seed any integer from 0 to 2^53 - 1
 * @param a first counter, such as the epoch, below 2^32
 * @param b second counter, such as the sample index, below 2^32
 */
export function randomWords(seed: number, stream: Stream, a: number, b: number, out: Uint32Array): void {
  invariant(Number.isSafeInteger(seed) && seed >= 0, `seed ${seed} is not an integer from 0 to 2^53 - 1`);
  invariant(isUint32(a) && isUint32(b), `counters ${a} and ${b} are not integers below 2^32`);
  invariant(out.length % 4 === 0, `room for ${out.length} random words is not a multiple of four`);
  const keyLow = seed >>> 0;
  const keyHigh = Math.floor(seed / 2 ** 32);
  for (let block = 0; block * 4 < out.length; block++) {
    philox4x32([block, b, a, stream], keyLow, keyHigh, out, block * 4);
  }
}

/** A random word as a number from 0 up to, not including, 1: a multiple of 2^-24, which float32 holds exactly. */
export function uniform(word: number): number {
  return (word >>> 8) / 2 ** 24;
}

/**
 * A random word as an integer from 0 up to, not including, `bound`. Some values are likelier than others by at most
 * one part in 2^32 / bound, which no training run can notice.
 */
export function below(bound: number, word: number): number {
  return Math.floor((word * bound) / 2 ** 32);
}

const ROUNDS = 10;

/** One block: four 32-bit counters and a 64-bit key become four words, written to `out` from `offset` on. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  keyLow: number,
  keyHigh: number,
  out: Uint32Array,
  offset: number,
): void {
  let [c0, c1, c2, c3] = counter;
  let k0 = keyLow;
  let k1 = keyHigh;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(c0, 0xd251, 0x1f53);
    const low0 = Math.imul(c0, 0xd2511f53);
    const high1 = multiplyHigh(c2, 0xcd9e, 0x8d57);
    const low1 = Math.imul(c2, 0xcd9e8d57);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    // Weyl sequence: the golden ratio and sqrt(3) - 1.
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

/**
 * The upper 32 bits of a 32 x 32 bit product, whose second factor comes in halves. JavaScript has no such operation;
 * no sum in between exceeds 32 bits.
 */
function multiplyHigh(word: number, factorHigh: number, factorLow: number): number {
  const high = word >>> 16;
  const low = word & 0xffff;
  const middle = Math.imul(high, factorLow) + (Math.imul(low, factorLow) >>> 16);
  const carry = Math.imul(low, factorHigh) + (middle & 0xffff);
  return (Math.imul(high, factorHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}
