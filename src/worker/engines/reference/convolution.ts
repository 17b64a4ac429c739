import type { Allocate, Numbers } from "./numbers.ts";

/** A 5x5 convolution, stride 1, no padding. All arrays are row-major. */
export interface ConvolutionShape {
  /** Images. */
  readonly count: number;
  readonly inChannels: number;
  readonly inSide: number;
  readonly outChannels: number;
}

const FILTER = 5;

/** y[n][o] = b[o] + sum over i, ky, kx of x[n][i][.+ky][.+kx] * w[o][i][ky][kx]. @returns [count][outChannels][side - 4][side - 4] */
export function convolution(
  x: Numbers,
  weight: Numbers,
  bias: Numbers,
  shape: ConvolutionShape,
  allocate: Allocate,
): Numbers {
  const { count, inChannels, inSide, outChannels } = shape;
  const outSide = inSide - FILTER + 1;
  const y = allocate(count * outChannels * outSide * outSide);
  let at = 0;
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outChannels; o++) {
      for (let oy = 0; oy < outSide; oy++) {
        for (let ox = 0; ox < outSide; ox++) {
          let sum = bias[o]!;
          for (let i = 0; i < inChannels; i++) {
            for (let ky = 0; ky < FILTER; ky++) {
              for (let kx = 0; kx < FILTER; kx++) {
                const pixel = ((n * inChannels + i) * inSide + oy + ky) * inSide + ox + kx;
                const tap = ((o * inChannels + i) * FILTER + ky) * FILTER + kx;
                sum += x[pixel]! * weight[tap]!;
              }
            }
          }
          y[at++] = sum;
        }
      }
    }
  }
  return y;
}

/** Fills in dWeight and dBias from dy [count][outChannels][side - 4][side - 4]. */
export function convolutionWeightsGradient(
  dy: Numbers,
  x: Numbers,
  shape: ConvolutionShape,
  dWeight: Numbers,
  dBias: Numbers,
): void {
  const { count, inChannels, inSide, outChannels } = shape;
  const outSide = inSide - FILTER + 1;
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < inChannels; i++) {
      for (let ky = 0; ky < FILTER; ky++) {
        for (let kx = 0; kx < FILTER; kx++) {
          let sum = 0;
          for (let n = 0; n < count; n++) {
            for (let oy = 0; oy < outSide; oy++) {
              for (let ox = 0; ox < outSide; ox++) {
                const pixel = ((n * inChannels + i) * inSide + oy + ky) * inSide + ox + kx;
                sum += dy[((n * outChannels + o) * outSide + oy) * outSide + ox]! * x[pixel]!;
              }
            }
          }
          dWeight[((o * inChannels + i) * FILTER + ky) * FILTER + kx] = sum;
        }
      }
    }
    let sum = 0;
    for (let n = 0; n < count; n++) {
      for (let p = 0; p < outSide * outSide; p++) sum += dy[(n * outChannels + o) * outSide * outSide + p]!;
    }
    dBias[o] = sum;
  }
}

/** dx[n][i][iy][ix] = sum over o, ky, kx of dy[n][o][iy - ky][ix - kx] * w[o][i][ky][kx]. @returns [count][inChannels][side][side] */
export function convolutionInputGradient(
  dy: Numbers,
  weight: Numbers,
  shape: ConvolutionShape,
  allocate: Allocate,
): Numbers {
  const { count, inChannels, inSide, outChannels } = shape;
  const outSide = inSide - FILTER + 1;
  const dx = allocate(count * inChannels * inSide * inSide);
  let at = 0;
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < inChannels; i++) {
      for (let iy = 0; iy < inSide; iy++) {
        for (let ix = 0; ix < inSide; ix++) {
          let sum = 0;
          for (let o = 0; o < outChannels; o++) {
            for (let ky = 0; ky < FILTER; ky++) {
              for (let kx = 0; kx < FILTER; kx++) {
                const [oy, ox] = [iy - ky, ix - kx];
                if (oy < 0 || oy >= outSide || ox < 0 || ox >= outSide) continue;
                const tap = ((o * inChannels + i) * FILTER + ky) * FILTER + kx;
                sum += dy[((n * outChannels + o) * outSide + oy) * outSide + ox]! * weight[tap]!;
              }
            }
          }
          dx[at++] = sum;
        }
      }
    }
  }
  return dx;
}
