import { crc32 } from "node:zlib";
import { SLICES } from "../../../src/shared/model/contribution.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT } from "../../../src/shared/model/lenet5.ts";
import { bytesOf } from "../../../src/shared/protocol/codec.ts";
import type {
  DenseFinal,
  Engine,
  EvaluationInput,
  Images,
  Logits,
  ShardGradient,
  ShardInput,
} from "../../../src/worker/engines/engine.ts";
import { randomVector } from "../../support/floats.ts";

/** How an engine behaves; all is asked anew each time. */
export interface EngineConduct {
  /** Whether it makes a mistake that nobody can see. */
  readonly errs: () => boolean;
  /** Until a part of the work is done: a shard has two. Undefined where that takes no time at all. */
  readonly pause: () => Promise<void> | undefined;
  /** Whether the convolutions' gradient comes later than the rest. */
  readonly tellsDense: () => boolean;
  /** The slices in which a number is to be NaN. */
  readonly spoils: () => readonly (keyof typeof SLICES)[];
  /** @throws Error when the device is to fail */
  readonly check: () => void;
}

const PLACES = 2 ** 17;
/** A gradient is a window of it. Magnitudes are far apart, so that sums depend on the order of the additions. */
const NOISE = randomVector(PARAMETER_COUNT + PLACES, 7);
const CHANNELS = 22;
/** What stands where nothing may be read. */
const GARBAGE = 1e30;

/**
 * An engine that computes nothing: its gradients, losses, statistics and logits are noise, chosen by a checksum over
 * every bit of the parameters, images and labels. Whatever is mistaken on the way shows in the weights.
 */
export class NoiseEngine implements Engine {
  readonly name = "wasm";
  readonly device = "noise";
  readonly #conduct: EngineConduct;
  /** Checksums of what was loaded, by where it starts. */
  readonly #loaded = new Map<number, number>();
  readonly #gradient = new Float32Array(PARAMETER_COUNT);
  #busy = false;

  constructor(conduct: EngineConduct) {
    this.#conduct = conduct;
  }

  load(parameters: Float32Array, start = 0): void {
    this.#requireIdle();
    if (parameters.length === PARAMETER_COUNT) this.#loaded.clear();
    this.#loaded.set(start, crc32(bytesOf(parameters)));
  }

  gradients({ images, labels, globalCount }: ShardInput, denseFinal?: DenseFinal): Promise<ShardGradient> {
    return this.#alone(async () => {
      const right = crc32(labels, crc32(pixelsOf(images), this.#parameterBits(globalCount)));
      const bits = this.#conduct.errs() ? right ^ 1 : right;
      const result = this.#resultOf(bits, labels.length);
      this.#gradient.fill(GARBAGE, 0, SLICES.dense.start);
      this.#fill("dense", bits);
      const spoilt = this.#conduct.spoils();
      if (spoilt.includes("dense")) this.#gradient[SLICES.dense.start] = NaN;
      await this.#work();
      if (denseFinal !== undefined && this.#conduct.tellsDense()) denseFinal(result);
      await this.#work();
      this.#fill("conv", bits);
      if (spoilt.includes("conv")) this.#gradient[SLICES.conv.start] = NaN;
      return result;
    });
  }

  evaluate({ images, labels, runningMean, runningVar }: EvaluationInput): Promise<Logits> {
    return this.#alone(async () => {
      await this.#work();
      const bits = crc32(bytesOf(runningVar), crc32(bytesOf(runningMean), this.#parameterBits(0)));
      const pixels = pixelsOf(images);
      const logits = new Float32Array(labels.length * CLASS_COUNT);
      for (let i = 0; i < labels.length; i++) {
        const best = crc32(pixels.subarray(i * IMAGE_SIZE, (i + 1) * IMAGE_SIZE), bits) % CLASS_COUNT;
        logits[i * CLASS_COUNT + best] = 1;
      }
      return { logits };
    });
  }

  dispose(): void {}

  /** Views of what the next call writes to. */
  #resultOf(bits: number, count: number): ShardGradient {
    const statistics = NOISE.subarray(bits % PLACES, (bits % PLACES) + 2 * CHANNELS).map(Math.abs);
    // All bits of the checksum, though a float32 holds 24 of them.
    statistics[0] = bits & 0xffff;
    statistics[CHANNELS] = bits >>> 16;
    return {
      gradient: this.#gradient,
      lossSum: (bits % 5_000) / 1000,
      correct: bits % (count + 1),
      batchMean: statistics.subarray(0, CHANNELS),
      batchVar: statistics.subarray(CHANNELS),
    };
  }

  #fill(slice: keyof typeof SLICES, bits: number): void {
    const { start, parameterLength } = SLICES[slice];
    const from = (bits % PLACES) + start;
    this.#gradient.set(NOISE.subarray(from, from + parameterLength), start);
  }

  #parameterBits(seed: number): number {
    const parts = [...this.#loaded].sort(([a], [b]) => a - b).map(([, bits]) => bits);
    return crc32(bytesOf(Uint32Array.from([seed, ...parts])));
  }

  async #work(): Promise<void> {
    this.#conduct.check();
    const pause = this.#conduct.pause();
    if (pause !== undefined) await pause;
  }

  /** An engine has one memory: two tasks may never share it. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#requireIdle();
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  #requireIdle(): void {
    if (this.#busy) throw new Error("an engine is used while it computes");
  }
}

function pixelsOf(images: Images): Uint8Array {
  return images instanceof Uint8Array ? images : bytesOf(images);
}
