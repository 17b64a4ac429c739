/** Which training images are held out for validation, and which are left to train on: a function of the seed alone. */

import { STREAMS, below, randomWords } from "../random.ts";

export interface HeldOut {
  /** Indices into the training set, ascending: `[count]`. */
  readonly validation: Uint32Array;
  /** The others, ascending; undefined where none is held out: then it is all of them. */
  readonly training: Uint32Array | undefined;
}

/**
 * Chooses `count` of the first `available` training images at random, each as likely as any other: the last ones of a file
 * may all be of one class.
 *
 * The first `count` draws of Durstenfeld's shuffle (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2P).
 *
 * @param count from 0 to below `available`
 */
export function holdOut(seed: number, available: number, count: number): HeldOut {
  if (count === 0) return { validation: new Uint32Array(0), training: undefined };
  const words = new Uint32Array(Math.ceil(count / 4) * 4);
  randomWords(seed, STREAMS.validation, 0, 0, words);
  const order = Uint32Array.from({ length: available }, (_, index) => index);
  for (let drawn = 0; drawn < count; drawn++) {
    const chosen = drawn + below(available - drawn, words[drawn]!);
    const sample = order[chosen]!;
    order[chosen] = order[drawn]!;
    order[drawn] = sample;
  }
  return { validation: order.slice(0, count).sort(), training: order.slice(count).sort() };
}
