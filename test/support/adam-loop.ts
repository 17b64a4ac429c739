import type { AdamFactors } from "../../src/shared/vector/vector-memory.ts";

const f = Math.fround;

export interface PlainMoments {
  readonly p: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** Adam as a plain loop that rounds to float32 after every operation: what the SIMD code must equal bit for bit. */
export function adamLoop(old: PlainMoments, gradient: Float32Array, factors: AdamFactors): PlainMoments {
  const { beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, varianceScale, epsilon } = factors;
  const next = { p: new Float32Array(gradient.length), m: gradient.slice(), v: gradient.slice() };
  for (const [i, g] of gradient.entries()) {
    const m = f(f(old.m[i]! * beta1) + f(g * oneMinusBeta1));
    const v = f(f(old.v[i]! * beta2) + f(f(g * g) * oneMinusBeta2));
    const denominator = f(f(f(Math.sqrt(v)) * varianceScale) + epsilon);
    next.m[i] = m;
    next.v[i] = v;
    next.p[i] = f(old.p[i]! - f(f(m * stepSize) / denominator));
  }
  return next;
}
