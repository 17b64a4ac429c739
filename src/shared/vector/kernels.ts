import type { KernelModule } from "../kernel-module.ts";

/**
 * Flat float32 arithmetic in WebAssembly SIMD. Pointers are byte addresses, 16-byte aligned but for scale's; `n` counts
 * floats. Lanes do exactly the IEEE 754 single-precision operations written here, so the results equal a plain loop that
 * rounds after each operation (Math.fround): the tests hold them to that bit for bit.
 */
const source = `
/** into[i] += other[i]. Returns 1 when no sum is NaN or infinite, as allFinite does. */
export function add(into: usize, other: usize, n: i32): i32 {
  const zero = f32x4.splat(0);
  let zeros = zero;
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const sum = f32x4.add(v128.load(into), v128.load(other));
    v128.store(into, sum);
    zeros = f32x4.add(zeros, f32x4.mul(sum, zero));
    into += 16;
    other += 16;
  }
  let rest: f32 = 0;
  for (; i < n; i++) {
    const sum = load<f32>(into) + load<f32>(other);
    store<f32>(into, sum);
    rest += sum * 0;
    into += 4;
    other += 4;
  }
  return sumOfLanes(zeros) + rest == 0 ? 1 : 0;
}

function sumOfLanes(lanes: v128): f32 {
  return f32x4.extract_lane(lanes, 0) + f32x4.extract_lane(lanes, 1) + f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3);
}

/** average[i] = average[i] * keep + values[i] * take */
export function blend(average: usize, values: usize, n: i32, keep: f32, take: f32): void {
  const keeps = f32x4.splat(keep);
  const takes = f32x4.splat(take);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(average, f32x4.add(f32x4.mul(v128.load(average), keeps), f32x4.mul(v128.load(values), takes)));
    average += 16;
    values += 16;
  }
  for (; i < n; i++) {
    store<f32>(average, load<f32>(average) * keep + load<f32>(values) * take);
    average += 4;
    values += 4;
  }
}

/** into[i] = values[i] * factor */
export function scale(into: usize, values: usize, n: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(into, f32x4.mul(v128.load(values), factors));
    into += 16;
    values += 16;
  }
  for (; i < n; i++) {
    store<f32>(into, load<f32>(values) * factor);
    into += 4;
    values += 4;
  }
}

/** 1 when no value is NaN or infinite: x * 0 is 0 for those alone, and a sum of zeros stays 0. */
export function allFinite(values: usize, n: i32): i32 {
  const zero = f32x4.splat(0);
  let zeros = zero;
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    zeros = f32x4.add(zeros, f32x4.mul(v128.load(values), zero));
    values += 16;
  }
  let rest: f32 = 0;
  for (; i < n; i++) {
    rest += load<f32>(values) * 0;
    values += 4;
  }
  return sumOfLanes(zeros) + rest == 0 ? 1 : 0;
}

/**
 * The sum of the squares, in double precision, where a float32's square is exact: number i goes to the one of four sums
 * that i mod 4 names, what is left over at the end to the first.
 */
export function sumOfSquares(values: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const four = v128.load(values);
    const first = f64x2.promote_low_f32x4(four);
    const second = f64x2.promote_low_f32x4(i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    low = f64x2.add(low, f64x2.mul(first, first));
    high = f64x2.add(high, f64x2.mul(second, second));
    values += 16;
  }
  let a = f64x2.extract_lane(low, 0);
  for (; i < n; i++) {
    const value = <f64>load<f32>(values);
    a += value * value;
    values += 4;
  }
  return a + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/**
 * One Adam step (Kingma and Ba 2015, algorithm 1, in the order of PyTorch's implementation), written beside the old
 * values so that the previous version stays whole until the step is committed. The parameters alone may be stepped where
 * they lie, with pNext = p.
 *
 *   m' = m * beta1 + g * (1 - beta1)
 *   v' = v * beta2 + (g * g) * (1 - beta2)
 *   p' = p - (m' * stepSize) / (sqrt(v') * varianceScale + epsilon)
 *
 * with stepSize = lr / (1 - beta1^t) and varianceScale = 1 / sqrt(1 - beta2^t).
 */
export function adam(
  p: usize, m: usize, v: usize, g: usize,
  pNext: usize, mNext: usize, vNext: usize,
  n: i32,
  beta1: f32, oneMinusBeta1: f32, beta2: f32, oneMinusBeta2: f32,
  stepSize: f32, varianceScale: f32, epsilon: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(oneMinusBeta1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(oneMinusBeta2);
  const size = f32x4.splat(stepSize);
  const scale = f32x4.splat(varianceScale);
  const eps = f32x4.splat(epsilon);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const at = <usize>i << 2;
    const gi = v128.load(g + at);
    const mi = f32x4.add(f32x4.mul(v128.load(m + at), b1), f32x4.mul(gi, c1));
    const vi = f32x4.add(f32x4.mul(v128.load(v + at), b2), f32x4.mul(f32x4.mul(gi, gi), c2));
    const denominator = f32x4.add(f32x4.mul(f32x4.sqrt(vi), scale), eps);
    v128.store(mNext + at, mi);
    v128.store(vNext + at, vi);
    v128.store(pNext + at, f32x4.sub(v128.load(p + at), f32x4.div(f32x4.mul(mi, size), denominator)));
  }
  for (; i < n; i++) {
    const at = <usize>i << 2;
    const gi = load<f32>(g + at);
    const mi = load<f32>(m + at) * beta1 + gi * oneMinusBeta1;
    const vi = load<f32>(v + at) * beta2 + gi * gi * oneMinusBeta2;
    store<f32>(mNext + at, mi);
    store<f32>(vNext + at, vi);
    store<f32>(pNext + at, load<f32>(p + at) - (mi * stepSize) / (sqrt<f32>(vi) * varianceScale + epsilon));
  }
}
`;

export const VECTOR_KERNELS: KernelModule = { name: "vector", source };

/** All that addresses of 32 bits reach: address space is set aside for it, memory is not. */
export const MOST_SHARED_PAGES = 65_536;

/** The same kernels over memory that threads share. */
export const SHARED_VECTOR_KERNELS: KernelModule = { name: "vector-shared", source, sharedPages: MOST_SHARED_PAGES };
