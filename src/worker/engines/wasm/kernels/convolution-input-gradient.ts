import { FLOAT_BYTES, VECTOR_BYTES, multiplyAdd, pinned, range, repeat } from "./codegen.ts";

const FILTER = 5;
const IN_CHANNELS = 6;
const IN_SIDE = 14;
const OUT_CHANNELS = 16;
const OUT_SIDE = 10;
/** A row of 14 results is computed in two halves of seven accumulators. */
const HALF = IN_SIDE / 2;

const FILTER_BYTES = FILTER * FILTER * FLOAT_BYTES;
const OUT_ROW_BYTES = OUT_SIDE * VECTOR_BYTES;
const OUT_CHANNEL_BYTES = OUT_SIDE * OUT_ROW_BYTES;
const CHANNEL_WEIGHT_BYTES = IN_CHANNELS * FILTER_BYTES;

/**
 * dx[ic][iy][ix] = sum over oc, ky, kx of dy[oc][iy - ky][ix - kx] * w[oc][ic][ky][kx], for seven neighbouring ix. Only
 * the terms that exist are computed (25 for an inner pixel), so dy needs no frame of zeros.
 */
function halfRow(half: 0 | 1): string {
  const first = half * HALF;
  /** Columns of dy that reach this half, each with the taps that do it. */
  const columns = range(OUT_SIDE)
    .map((ox) => ({ ox, taps: range(FILTER).filter((kx) => ox + kx >= first && ox + kx < first + HALF) }))
    .filter(({ taps }) => taps.length > 0);
  const column = (i: number): string => {
    const { ox, taps } = columns[i]!;
    return `d = v128.load(dyRow, ${ox * VECTOR_BYTES});
      ${taps.map((kx) => multiplyAdd(`sum${ox + kx - first}`, "d", `w${kx}`)).join("\n")}`;
  };
  return `
function conv2InputGradientHalf${half}(dy: usize, w: usize, dx: usize, pin: i32): void {
  let d = f32x4.splat(0);
  ${repeat(FILTER, (kx) => `let w${kx} = d;`)}
  for (let inChannel: usize = 0; inChannel < ${IN_CHANNELS}; inChannel++) {
    for (let iy: usize = 0; iy < ${IN_SIDE}; iy++) {
      const firstKy = iy < ${OUT_SIDE} ? 0 : iy - ${OUT_SIDE - 1};
      const endKy = iy < ${FILTER} ? iy + 1 : ${FILTER};
      ${repeat(HALF, (i) => `let sum${i} = f32x4.splat(0);`)}
      let dyRow = dy + (iy - firstKy) * ${OUT_ROW_BYTES};
      let weights = w + inChannel * ${FILTER_BYTES} + firstKy * ${FILTER * FLOAT_BYTES};
      let channelsLeft = ${OUT_CHANNELS};
      let left = (endKy - firstKy) * ${OUT_CHANNELS};
      while (true) {
        ${repeat(FILTER, (kx) => `w${kx} = v128.load32_splat(weights, ${kx * FLOAT_BYTES});`)}
        ${pinned(columns.length, column)}
        if (--left == 0) break;
        dyRow += ${OUT_CHANNEL_BYTES};
        weights += ${CHANNEL_WEIGHT_BYTES};
        if (--channelsLeft == 0) {
          // Back to the first channel, for the next filter row and the row of dy that it meets.
          channelsLeft = ${OUT_CHANNELS};
          dyRow -= ${OUT_CHANNELS * OUT_CHANNEL_BYTES + OUT_ROW_BYTES};
          weights -= ${OUT_CHANNELS * CHANNEL_WEIGHT_BYTES - FILTER * FLOAT_BYTES};
        }
      }
      ${repeat(HALF, (i) => `v128.store(dx, sum${i}, ${(first + i) * VECTOR_BYTES});`)}
      dx += ${IN_SIDE * VECTOR_BYTES};
    }
  }
}
`;
}

export const CONVOLUTION_INPUT_GRADIENT = `
${halfRow(0)}
${halfRow(1)}
/** One group: dy [16][10][10][4], w [16][6][5][5] -> dx [6][14][14][4]. conv1 needs none: nothing lies below it. */
export function conv2InputGradient(dy: usize, w: usize, dx: usize, pin: i32): void {
  conv2InputGradientHalf0(dy, w, dx, pin);
  conv2InputGradientHalf1(dy, w, dx, pin);
}
`;
