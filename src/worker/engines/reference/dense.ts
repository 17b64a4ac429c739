import type { Allocate, Numbers } from "./numbers.ts";

/** A fully connected layer: weight [outputs][inputs], row-major. */
export interface DenseShape {
  readonly count: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** y[n][o] = b[o] + sum over i of w[o][i] * x[n][i] */
export function dense(x: Numbers, weight: Numbers, bias: Numbers, shape: DenseShape, allocate: Allocate): Numbers {
  const { count, inputs, outputs } = shape;
  const y = allocate(count * outputs);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i]! * x[n * inputs + i]!;
      y[n * outputs + o] = sum;
    }
  }
  return y;
}

/** Fills in dWeight and dBias. @returns dx [count][inputs] */
export function denseGradient(
  dy: Numbers,
  x: Numbers,
  weight: Numbers,
  shape: DenseShape,
  dWeight: Numbers,
  dBias: Numbers,
  allocate: Allocate,
): Numbers {
  const { count, inputs, outputs } = shape;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += dy[n * outputs + o]! * x[n * inputs + i]!;
      dWeight[o * inputs + i] = sum;
    }
    let sum = 0;
    for (let n = 0; n < count; n++) sum += dy[n * outputs + o]!;
    dBias[o] = sum;
  }
  const dx = allocate(count * inputs);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let o = 0; o < outputs; o++) sum += dy[n * outputs + o]! * weight[o * inputs + i]!;
      dx[n * inputs + i] = sum;
    }
  }
  return dx;
}
