import { type SliceName, SLICES } from "../shared/model/contribution.ts";
import type { Vector } from "../shared/vector/vector-memory.ts";

/** PyTorch adds it to the norm, so that a gradient of zeros is divided by something. */
const EPSILON = 1e-6;

/** In which the squares are added, whatever order the slices came in: that of the table of tensors. */
const ORDER: readonly SliceName[] = ["conv", "dense"];

/**
 * Clips a batch's gradient by its norm over all 61,750 values, in place: they are multiplied by
 * min(1, maxNorm / (norm + 1e-6)), as by PyTorch's `clip_grad_norm_` (Pascanu et al. 2013, algorithm 1). What a sum
 * holds besides the gradient (statistics, loss, correct count) stays.
 *
 * The squares are exact in double precision and are added in one order; scaled values are rounded to float32. So the
 * same sums give the same bits everywhere.
 *
 * @param sums over all shards, both slices complete
 * @returns the norm before
 */
export function clipGradient(sums: Readonly<Record<SliceName, Vector>>, maxNorm: number): number {
  const parts = ORDER.map((slice) => sums[slice].values.subarray(0, SLICES[slice].parameterLength));
  let squares = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) squares += part[i]! * part[i]!;
  }
  const norm = Math.sqrt(squares);
  const factor = maxNorm / (norm + EPSILON);
  if (factor < 1) {
    for (const part of parts) {
      for (let i = 0; i < part.length; i++) part[i] = part[i]! * factor;
    }
  }
  return norm;
}
