import type { Allocate, Numbers } from "./numbers.ts";

export function relu(x: Numbers, allocate: Allocate): Numbers {
  const y = allocate(x.length);
  for (let i = 0; i < x.length; i++) y[i] = Math.max(x[i]!, 0);
  return y;
}

/** The gradient passes where the output is positive; at exactly 0 it is 0. */
export function reluGradient(dy: Numbers, y: Numbers, allocate: Allocate): Numbers {
  const dx = allocate(dy.length);
  for (let i = 0; i < dy.length; i++) dx[i] = y[i]! > 0 ? dy[i]! : 0;
  return dx;
}

export interface Pooled {
  /** [planes][side / 2][side / 2] */
  readonly y: Numbers;
  /** Index in x of each maximum, the first of equal ones. */
  readonly winners: Int32Array;
}

/** 2x2 max-pooling with stride 2 over `x` [planes][side][side]. */
export function maxPool(x: Numbers, side: number, allocate: Allocate): Pooled {
  const half = side / 2;
  const y = allocate(x.length / 4);
  const winners = new Int32Array(y.length);
  for (let out = 0; out < y.length; out++) {
    const plane = Math.floor(out / (half * half));
    const row = Math.floor(out / half) % half;
    const corner = (plane * side + 2 * row) * side + 2 * (out % half);
    let winner = corner;
    for (const candidate of [corner + 1, corner + side, corner + side + 1]) {
      if (x[candidate]! > x[winner]!) winner = candidate;
    }
    y[out] = x[winner]!;
    winners[out] = winner;
  }
  return { y, winners };
}

/** Each window's gradient goes to its winner. @returns dx, of `size` values */
export function maxPoolGradient(dy: Numbers, winners: Int32Array, size: number, allocate: Allocate): Numbers {
  const dx = allocate(size);
  for (let out = 0; out < dy.length; out++) dx[winners[out]!]! += dy[out]!;
  return dx;
}
