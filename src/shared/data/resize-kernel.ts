import type { KernelModule } from "../kernel-module.ts";
import { IMAGE_SIDE } from "../model/lenet5.ts";
import { STORED_SIDE, STORED_SIZE } from "./idx.ts";
import { AFTER, AFTER_WEIGHT, BEFORE } from "./preprocess.ts";

/**
 * `resize` of preprocess.ts as WebAssembly SIMD, compiled to `resize.wasm`.
 *
 * A row's 32 outputs take their two source pixels by constant shuffles: outputs 0 to 15 from source bytes 0 to 15,
 * outputs 16 to 31 from bytes 12 to 27. Products of a byte and a weight are 16 bits wide, and so is every sum:
 * 255 * 16 * 16 + 128 < 2^16.
 */

/** Where the second half's 16 source bytes begin. */
const SECOND_HALF = STORED_SIDE - 16;

const lanes = (values: Iterable<number>): string => [...values].join(", ");

/** Lane numbers of one half's source pixels. */
const pick = (pixels: Uint8Array, half: 0 | 1): string =>
  lanes(pixels.subarray(half * 16, half * 16 + 16).map((pixel) => pixel - half * SECOND_HALF));

const weights = (half: 0 | 1, of: (after: number) => number): string =>
  `i8x16(${lanes(AFTER_WEIGHT.subarray(half * 16, half * 16 + 16).map(of))})`;

/** Stretches 16 outputs of a row, in sixteenths. */
const stretchHalf = (half: 0 | 1): string => `
  {
    const row = v128.load(from${half === 0 ? "" : `, ${SECOND_HALF}`});
    const before = v128.shuffle<i8>(row, row, ${pick(BEFORE, half)});
    const after = v128.shuffle<i8>(row, row, ${pick(AFTER, half)});
    const beforeWeight = ${weights(half, (after) => 16 - after)};
    const afterWeight = ${weights(half, (after) => after)};
    v128.store(to, i16x8.add(
      i16x8.extmul_low_i8x16_u(before, beforeWeight), i16x8.extmul_low_i8x16_u(after, afterWeight)), ${half * 32});
    v128.store(to, i16x8.add(
      i16x8.extmul_high_i8x16_u(before, beforeWeight), i16x8.extmul_high_i8x16_u(after, afterWeight)), ${half * 32 + 16});
  }`;

const source = `
const BEFORE: StaticArray<u8> = [${lanes(BEFORE)}];
const AFTER: StaticArray<u8> = [${lanes(AFTER)}];
const AFTER_WEIGHT: StaticArray<u8> = [${lanes(AFTER_WEIGHT)}];

export function firstFreeByte(): usize {
  return __heap_base;
}

/** [n, 28, 28] bytes at \`from\` to [n, 32, 32] bytes at \`to\`; \`rows\` has room for [28, 32] 16-bit numbers. */
export function resize(from: usize, to: usize, n: i32, rows: usize): void {
  for (let image = 0; image < n; image++) {
    for (let y = 0; y < ${STORED_SIDE}; y++) stretch(from + y * ${STORED_SIDE}, rows + y * ${IMAGE_SIDE * 2});
    for (let y = 0; y < ${IMAGE_SIDE}; y++) blend(rows, to + y * ${IMAGE_SIDE}, y);
    from += ${STORED_SIZE};
    to += ${IMAGE_SIDE * IMAGE_SIDE};
  }
}

@inline
function stretch(from: usize, to: usize): void {${stretchHalf(0)}${stretchHalf(1)}
}

/** One row of the output, from the two stretched rows around it. */
@inline
function blend(rows: usize, to: usize, y: i32): void {
  const before = rows + <usize>unchecked(BEFORE[y]) * ${IMAGE_SIDE * 2};
  const after = rows + <usize>unchecked(AFTER[y]) * ${IMAGE_SIDE * 2};
  const weight = <i16>unchecked(AFTER_WEIGHT[y]);
  const beforeWeight = i16x8.splat(16 - weight);
  const afterWeight = i16x8.splat(weight);
  for (let x = 0; x < ${IMAGE_SIDE}; x += 16) {
    const at = x * 2;
    v128.store(to + x, i8x16.narrow_i16x8_u(
      mix(before + at, after + at, beforeWeight, afterWeight),
      mix(before + at + 16, after + at + 16, beforeWeight, afterWeight)));
  }
}

/** Eight weighted sums in 256ths, rounded half up to whole numbers. */
@inline
function mix(before: usize, after: usize, beforeWeight: v128, afterWeight: v128): v128 {
  const sum = i16x8.add(i16x8.mul(v128.load(before), beforeWeight), i16x8.mul(v128.load(after), afterWeight));
  return i16x8.shr_u(i16x8.add(sum, i16x8.splat(128)), 8);
}
`;

export const RESIZE_KERNEL: KernelModule = { name: "resize", source };
