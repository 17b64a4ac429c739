import { BATCH_NORM_EPSILON } from "../../../shared/model/lenet5.ts";
import type { Allocate, Numbers } from "./numbers.ts";

/** Batch normalisation over `[count][channels][positions]` (Ioffe and Szegedy 2015). */
export interface BatchNormShape {
  readonly count: number;
  readonly channels: number;
  readonly positions: number;
}

export interface ChannelStatistics {
  /** [channels] */
  readonly mean: Numbers;
  /** [channels], biased: divided by the number of values */
  readonly variance: Numbers;
}

/** Every index of one channel's values. */
function* indicesOf(channel: number, { count, channels, positions }: BatchNormShape): Generator<number> {
  for (let n = 0; n < count; n++) {
    const start = (n * channels + channel) * positions;
    for (let p = 0; p < positions; p++) yield start + p;
  }
}

const inverseDeviation = (variance: number): number => 1 / Math.sqrt(variance + BATCH_NORM_EPSILON);

export function channelStatistics(y: Numbers, shape: BatchNormShape, allocate: Allocate): ChannelStatistics {
  const size = shape.count * shape.positions;
  const mean = allocate(shape.channels);
  const variance = allocate(shape.channels);
  for (let c = 0; c < shape.channels; c++) {
    let sum = 0;
    for (const i of indicesOf(c, shape)) sum += y[i]!;
    const center = sum / size;
    let squares = 0;
    for (const i of indicesOf(c, shape)) squares += (y[i]! - center) ** 2;
    mean[c] = center;
    variance[c] = squares / size;
  }
  return { mean, variance };
}

/** z = gamma * (y - mean) / sqrt(variance + epsilon) + beta */
export function batchNorm(
  y: Numbers,
  { mean, variance }: ChannelStatistics,
  gamma: Numbers,
  beta: Numbers,
  shape: BatchNormShape,
  allocate: Allocate,
): Numbers {
  const z = allocate(y.length);
  for (let c = 0; c < shape.channels; c++) {
    const factor = gamma[c]! * inverseDeviation(variance[c]!);
    for (const i of indicesOf(c, shape)) z[i] = factor * (y[i]! - mean[c]!) + beta[c]!;
  }
  return z;
}

/** Backward with batch statistics, which depend on y too. Fills in dGamma and dBeta. @returns dy */
export function batchNormGradient(
  dz: Numbers,
  y: Numbers,
  { mean, variance }: ChannelStatistics,
  gamma: Numbers,
  shape: BatchNormShape,
  dGamma: Numbers,
  dBeta: Numbers,
  allocate: Allocate,
): Numbers {
  const size = shape.count * shape.positions;
  const dy = allocate(y.length);
  for (let c = 0; c < shape.channels; c++) {
    const inverse = inverseDeviation(variance[c]!);
    const normalized = (i: number): number => (y[i]! - mean[c]!) * inverse;
    let [sum, product] = [0, 0];
    for (const i of indicesOf(c, shape)) {
      sum += dz[i]!;
      product += dz[i]! * normalized(i);
    }
    dBeta[c] = sum;
    dGamma[c] = product;
    for (const i of indicesOf(c, shape)) {
      dy[i] = gamma[c]! * inverse * (dz[i]! - sum / size - (normalized(i) * product) / size);
    }
  }
  return dy;
}
