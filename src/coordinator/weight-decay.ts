import { type SliceName, SLICES } from "../shared/model/contribution.ts";
import { PARAMETERS } from "../shared/model/lenet5.ts";
import type { Range, Vector, VectorMemory } from "../shared/vector/vector-memory.ts";

/**
 * Weight decay apart from the gradient (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2),
 * as PyTorch's AdamW has it: before Adam's step, weights are multiplied by 1 - lr * weightDecay, rounded to float32, with
 * the learning rate of this step.
 *
 * Only the weights of convolutions and dense layers decay, not biases nor BatchNorm's scales and shifts (He et al. 2019,
 * "Bag of Tricks for Image Classification with Convolutional Neural Networks", section 3.1, "No bias decay"): these are
 * too few to overfit with, and pulled towards 0 they would only move and shrink what a layer gives; BatchNorm's scales
 * begin at 1. Weights are known by their shapes: they have more than one dimension.
 *
 * @param slice whose parameters are read from `old` and written to `next`
 * @param share lr * weightDecay: what a weight loses, as a part of itself
 * @returns `next`
 */
export function decay(memory: VectorMemory, slice: SliceName, old: Vector, next: Vector, share: number): Vector {
  for (const { decays, ...range } of RANGES[slice]) memory.scale(next, old, decays ? 1 - share : 1, range);
  return next;
}

/** Parameters that either all decay or all stay, counted from their slice's first. */
interface DecayRange extends Range {
  readonly decays: boolean;
}

/** All parameters of a slice, in order. */
const RANGES: Readonly<Record<SliceName, readonly DecayRange[]>> = { dense: rangesOf("dense"), conv: rangesOf("conv") };

function rangesOf(name: SliceName): DecayRange[] {
  const { start: first, parameterLength } = SLICES[name];
  const tensors = PARAMETERS.filter(({ offset }) => offset >= first && offset < first + parameterLength);
  return tensors.map(({ shape, offset, size }) => ({
    ...{ start: offset - first, length: size },
    decays: shape.length > 1,
  }));
}
