/** The state a model starts from. */

import { STREAMS, randomWords, uniform } from "../random.ts";
import { PARAMETERS, STATE_COUNT, STATISTICS, type TensorSpec } from "./lenet5.ts";

/**
 * The state vector before the first step, with PyTorch's default distributions: convolution and dense weights and
 * biases uniform from -1/sqrt(fanIn) to 1/sqrt(fanIn) (`torch.nn.Linear.reset_parameters`), batch normalisation scale 1
 * and shift 0, running mean 0 and variance 1.
 *
 * Each value depends only on the seed and its place in the vector.
 */
export function initialState(seed: number): Float32Array<ArrayBuffer> {
  const state = new Float32Array(STATE_COUNT);
  const words = new Uint32Array(4);
  for (const spec of [...PARAMETERS, ...STATISTICS]) {
    const end = spec.offset + spec.size;
    if (spec.fanIn === 0) {
      state.fill(startsAtOne(spec) ? 1 : 0, spec.offset, end);
      continue;
    }
    const bound = 1 / Math.sqrt(spec.fanIn);
    for (let index = spec.offset; index < end; index++) {
      randomWords(seed, STREAMS.initialisation, 0, index, words);
      // One rounding, to float32, of a double that every machine computes alike.
      state[index] = (2 * uniform(words[0]!) - 1) * bound;
    }
  }
  return state;
}

/** Of the batch normalisation tensors, scale (PyTorch's `weight`) and running variance. */
function startsAtOne(spec: TensorSpec): boolean {
  return spec.name.endsWith(".weight") || spec.name.endsWith(".running_var");
}
