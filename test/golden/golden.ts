import { readFileSync } from "node:fs";
import { PARAMETERS, PARAMETER_COUNT, tensor } from "../../src/shared/model/lenet5.ts";
import type { EvaluationInput, ShardInput } from "../../src/worker/engines/engine.ts";

/** What PyTorch computed, and the same inputs again. The formulas are those of make_golden.py, bit for bit. */

export const GOLDEN_CASES = [
  "batch-1",
  "batch-7",
  "batch-32",
  "batch-32-of-64",
  "batch-64",
  "batch-128",
  "ties",
  "smoothed",
] as const;

interface GoldenGradient {
  /** Every `stride`-th value of the tensor's gradient. */
  readonly stride: number;
  readonly values: Float32Array;
  /** Largest absolute value, and Euclidean norm, of the whole gradient. */
  readonly largest: number;
  readonly norm: number;
  /** Sums of the whole gradient, each value multiplied by `signOf(case, sum, index)`. */
  readonly signedSums: Float32Array;
}

export interface Golden {
  readonly name: string;
  readonly seed: number;
  readonly parameters: Float32Array;
  readonly shard: ShardInput;
  readonly lossSum: number;
  readonly correct: number;
  readonly batchMean: Float32Array;
  readonly batchVar: Float32Array;
  readonly gradients: ReadonlyMap<string, GoldenGradient>;
  readonly evaluation: EvaluationInput;
  readonly evaluatedLogits: Float32Array;
}

interface GoldenFile {
  readonly seed: number;
  readonly count: number;
  readonly globalCount: number;
  readonly negativeGammas: boolean;
  readonly ties: boolean;
  readonly labelSmoothing?: number;
  readonly lossSum: number;
  readonly correct: number;
  readonly batchMean: string;
  readonly batchVar: string;
  readonly evaluatedLogits: string;
  readonly gradients: Readonly<
    Record<string, { stride: number; values: string; largest: number; norm: number; signedSums: string }>
  >;
}

const STREAM = { parameters: 0, pixels: 1, boxes: 2, labels: 3, means: 4, variances: 5, signs: 6 } as const;
const BACKGROUND = (0 - 0.1307) / 0.3081;

/** lowbias32: a bijection of 32-bit numbers that scatters well (C. Wellons, hash-prospector). */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 32 random bits for each index of a stream. */
function bitsOf(seed: number, stream: number): (index: number) => number {
  const key = mix((mix(seed) + stream) | 0);
  return (index) => mix((key + index) | 0);
}

/** Numbers in [0, 1) that are whole multiples of 2^-24, so that everything made of them is exact. */
function uniformOf(seed: number, stream: number): (index: number) => number {
  const bits = bitsOf(seed, stream);
  return (index) => (bits(index) >>> 8) / 2 ** 24;
}

/** +1 or -1 */
export function signOf(seed: number, sum: number): (index: number) => number {
  const bits = bitsOf(seed, STREAM.signs + sum);
  return (index) => ((bits(index) & 1) === 1 ? 1 : -1);
}

function makeParameters({ seed, negativeGammas, ties }: Pick<GoldenFile, "seed" | "negativeGammas" | "ties">) {
  const uniform = uniformOf(seed, STREAM.parameters);
  const parameters = new Float32Array(PARAMETER_COUNT);
  for (const { name, offset, size, fanIn } of PARAMETERS) {
    for (let i = offset; i < offset + size; i++) {
      const u = uniform(i);
      if (fanIn > 0) parameters[i] = (2 * u - 1) / Math.sqrt(fanIn);
      else if (name.endsWith(".weight")) parameters[i] = (negativeGammas && u >= 0.5 ? -1 : 1) * (0.5 + u);
      else parameters[i] = 0.4 * (u - 0.5);
    }
  }
  if (ties) {
    // A filter of zeros answers alike everywhere: all of its pooling windows tie, and the first position must win.
    for (const [layer, channel, filterSize] of [
      ["1", 2, 25],
      ["2", 5, 150],
    ] as const) {
      const filter = tensor(`conv${layer}.weight`).offset + channel * filterSize;
      parameters.fill(0, filter, filter + filterSize);
      parameters[tensor(`conv${layer}.bias`).offset + channel] = 0.125;
      parameters[tensor(`bn${layer}.bias`).offset + channel] = 0.25;
    }
  }
  return parameters;
}

/** Noise in a box on a flat background, whose size and place differ by image; image 1 is background alone. */
function makeImages(seed: number, count: number): Float32Array {
  const uniform = uniformOf(seed, STREAM.pixels);
  const box = bitsOf(seed, STREAM.boxes);
  const images = new Float32Array(count * 1024).fill(BACKGROUND);
  for (let image = 0; image < count; image++) {
    if (image === 1) continue;
    const [top, left] = [box(image * 4) % 12, box(image * 4 + 1) % 12];
    const [bottom, right] = [top + 8 + (box(image * 4 + 2) % 12), left + 8 + (box(image * 4 + 3) % 12)];
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const pixel = (image * 32 + row) * 32 + column;
        images[pixel] = 3.25 * uniform(pixel) + BACKGROUND;
      }
    }
  }
  return images;
}

function makeLabels(seed: number, count: number): Uint8Array {
  const bits = bitsOf(seed, STREAM.labels);
  return Uint8Array.from({ length: count }, (_, i) => bits(i) % 10);
}

/** Parameters and a shard that look like a network in training; any seed, any number of images. */
export function makeCase(
  seed: number,
  count: number,
  globalCount = count,
): { parameters: Float32Array; shard: ShardInput; evaluation: EvaluationInput } {
  const parameters = makeParameters({ seed, negativeGammas: seed % 2 === 0, ties: false });
  const shard = { images: makeImages(seed, count), labels: makeLabels(seed, count), globalCount };
  return { parameters, shard, evaluation: makeEvaluation(seed, shard, count) };
}

function makeEvaluation(seed: number, { images, labels }: ShardInput, count: number): EvaluationInput {
  const [mean, variance] = [uniformOf(seed, STREAM.means), uniformOf(seed, STREAM.variances)];
  return {
    images: images.subarray(0, count * 1024),
    labels: labels.subarray(0, count),
    runningMean: Float32Array.from({ length: 22 }, (_, i) => 0.4 * (mean(i) - 0.5)),
    runningVar: Float32Array.from({ length: 22 }, (_, i) => 0.5 + variance(i)),
  };
}

function decode(base64: string): Float32Array {
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

export function readGolden(name: (typeof GOLDEN_CASES)[number]): Golden {
  const file = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), "utf8")) as GoldenFile;
  const { seed, count, globalCount, labelSmoothing = 0, lossSum, correct } = file;
  const shard = { images: makeImages(seed, count), labels: makeLabels(seed, count), globalCount, labelSmoothing };
  const evaluatedLogits = decode(file.evaluatedLogits);
  return {
    name,
    seed,
    parameters: makeParameters(file),
    shard,
    lossSum,
    correct,
    batchMean: decode(file.batchMean),
    batchVar: decode(file.batchVar),
    gradients: new Map(
      Object.entries(file.gradients).map(([tensorName, { values, signedSums, ...numbers }]) => [
        tensorName,
        { ...numbers, values: decode(values), signedSums: decode(signedSums) },
      ]),
    ),
    evaluation: makeEvaluation(seed, shard, evaluatedLogits.length / 10),
    evaluatedLogits,
  };
}
