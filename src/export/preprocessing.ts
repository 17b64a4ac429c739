/**
 * From a stored image to a network's input as two products of matrices and a table, which is all that a model for other
 * programs needs in order to do so itself, with the very bits of preprocess.ts:
 *
 *     resized    = floor(S image S^T + 1/2)      S is [32, 28], its values are sixteenths
 *     normalised = table[resized]
 *
 * Every product and sum is a multiple of 1/256 below 256, which float32 holds exactly, in whatever order it is added up.
 * A general resize operation would round differently in places, and so would a subtraction and a division.
 */

import { AFTER, AFTER_WEIGHT, BEFORE, NORMALISED } from "../shared/data/preprocess.ts";
import { STORED_SIDE } from "../shared/data/idx.ts";
import { IMAGE_SIDE } from "../shared/model/lenet5.ts";
import type { Tensor } from "../shared/safetensors.ts";
import { transpose } from "./transpose.ts";

/** S, [32, 28]: how much of each stored row is in each of the network's. */
export function stretchMatrix(): Tensor {
  const values = new Float32Array(IMAGE_SIDE * STORED_SIDE);
  for (let d = 0; d < IMAGE_SIDE; d++) {
    const after = AFTER_WEIGHT[d]! / 16;
    // At an edge the two are the same one.
    values[d * STORED_SIDE + BEFORE[d]!]! += 1 - after;
    values[d * STORED_SIDE + AFTER[d]!]! += after;
  }
  return { shape: [IMAGE_SIDE, STORED_SIDE], values };
}

/** S^T, [28, 32]. */
export function stretchMatrixTransposed(): Tensor {
  return transpose(stretchMatrix());
}

/** What the network sees for each byte, [256]. */
export function normalisationTable(): Tensor {
  return { shape: [NORMALISED.length], values: NORMALISED };
}
