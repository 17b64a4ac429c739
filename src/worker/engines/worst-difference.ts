import { PARAMETERS, tensor } from "../../shared/model/lenet5.ts";

/** The tensor in which two gradients differ most, and by which part of its largest value. NaN counts as infinite. */
export function worstDifference(expected: Float32Array, found: Float32Array): { tensor: string; relative: number } {
  let worst = { tensor: "", relative: 0 };
  for (const { name, offset, size } of PARAMETERS) {
    // The true gradient of a convolution's bias is 0, since batch normalisation removes it: what is computed is rounding,
    // to be measured against the weights beside it.
    const scale = /^conv.\.bias$/.test(name) ? tensor(name.replace("bias", "weight")) : { offset, size };
    const largest = largestOf(expected.subarray(scale.offset, scale.offset + scale.size));
    const here = expected.subarray(offset, offset + size);
    const difference = largestOf(here.map((value, index) => value - (found[offset + index] ?? NaN)));
    const relative = difference === 0 ? 0 : difference / largest;
    if (!(relative <= worst.relative)) worst = { tensor: name, relative: Number.isNaN(relative) ? Infinity : relative };
  }
  return worst;
}

/** NaN where any value is. */
function largestOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
