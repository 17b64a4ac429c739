import { LockstepError } from "../../../shared/errors.ts";
import { type Kernels, WASM_PAGE_BYTES } from "../../../shared/kernel-instance.ts";
import { NORMALISED } from "../../../shared/data/preprocess.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT, STATISTIC_COUNT } from "../../../shared/model/lenet5.ts";
import { checkEvaluation, checkParameters, checkShard, notLoaded } from "../check-input.ts";
import type { DenseFinal, Engine, EvaluationInput, Images, Logits, ShardGradient, ShardInput } from "../engine.ts";
import { convolutionBackward, denseBackward, loss } from "./backward-pass.ts";
import { foldRunningStatistics, forward } from "./forward-pass.ts";
import type { Lenet5Kernels } from "./kernel-exports.ts";
import { type ModelLayout, type ShardLayout, layOutModel, layOutShard } from "./memory-layout.ts";
import { groupsOf, pairedGroups } from "./network.ts";

/** Images evaluated at a time: two groups, whose activations stay in the second-level cache. */
const EVALUATION_CHUNK = 8;
const CHANNEL_COUNT = STATISTIC_COUNT / 2;

/** Views of the module's memory, made anew whenever it grows. */
interface Views {
  readonly bytes: Uint8Array;
  readonly floats: Float32Array;
  readonly summary: DataView;
  readonly gradient: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/**
 * The fast engine: WebAssembly SIMD kernels on one core. Its results are the same bits on every machine, since
 * WebAssembly's float32 arithmetic is defined to the bit and even exp and log are computed inside.
 *
 * Memory grows to the largest shard seen (about 57 KB an image) and stays.
 */
export class WasmEngine implements Engine {
  readonly name = "wasm";
  readonly device = "cpu (WebAssembly SIMD)";

  readonly #kernels: Lenet5Kernels;
  readonly #memory: WebAssembly.Memory;
  readonly #model: ModelLayout;
  #shard: ShardLayout;
  #capacity: number;
  #views: Views;
  #logits = new Float32Array(0);
  #loaded = false;

  /** @param kernels an instance of `lenet5.wasm` of its own: `openWasm` has it in Node.js */
  constructor({ exports, memory }: Kernels<Lenet5Kernels>) {
    this.#kernels = exports;
    this.#memory = memory;
    this.#model = layOutModel(exports.firstFreeByte());
    this.#capacity = EVALUATION_CHUNK;
    this.#shard = this.#makeRoom(this.#capacity);
    this.#views = this.#makeViews();
    this.#views.floats.set(NORMALISED, this.#model.normalised / 4);
  }

  load(parameters: Float32Array, start?: number): void {
    checkParameters(parameters, start, this.#loaded);
    this.#views.floats.set(parameters, this.#model.parameters / 4 + (start ?? 0));
    this.#loaded = true;
  }

  gradients(shard: ShardInput, denseFinal?: DenseFinal): ShardGradient {
    if (!this.#loaded) throw notLoaded();
    const count = checkShard(shard);
    this.#reserve(count);
    const pixels = this.#copyImages(shard.images);
    this.#views.bytes.set(shard.labels, this.#shard.labels);

    const network = { kernels: this.#kernels, model: this.#model, shard: this.#shard };
    forward(network, count, "batch", pixels);
    loss(network, count, shard);
    denseBackward(network, count);
    const { summary, gradient, mean, variance } = this.#views;
    const result: ShardGradient = {
      gradient,
      lossSum: summary.getFloat64(0, true),
      correct: summary.getInt32(8, true),
      batchMean: mean,
      batchVar: variance,
    };
    denseFinal?.(result);
    convolutionBackward(network, count);
    return result;
  }

  evaluate(batch: EvaluationInput): Logits {
    if (!this.#loaded) throw notLoaded();
    const count = checkEvaluation(batch);
    const { mean, variance, floats } = this.#views;
    mean.set(batch.runningMean);
    variance.set(batch.runningVar);
    const network = { kernels: this.#kernels, model: this.#model, shard: this.#shard };
    foldRunningStatistics(network);

    if (this.#logits.length !== count * CLASS_COUNT) this.#logits = new Float32Array(count * CLASS_COUNT);
    const logits = this.#logits;
    for (let start = 0; start < count; start += EVALUATION_CHUNK) {
      const end = Math.min(start + EVALUATION_CHUNK, count);
      const pixels = this.#copyImages(batch.images.subarray(start * IMAGE_SIZE, end * IMAGE_SIZE));
      forward(network, end - start, "running", pixels);
      for (let image = start; image < end; image++) {
        const [group, lane] = [(image - start) >> 2, image & 3];
        const from = this.#shard.logits / 4 + group * CLASS_COUNT * 4 + lane;
        for (let k = 0; k < CLASS_COUNT; k++) logits[image * CLASS_COUNT + k] = floats[from + k * 4]!;
      }
    }
    return { logits };
  }

  dispose(): void {
    this.#loaded = false;
  }

  /**
   * Copies images in and zeroes the lanes behind them, so that nothing of an earlier shard is ever read.
   * @returns what the pixels are
   */
  #copyImages(images: Images): "float32" | "bytes" {
    const { floats, bytes } = this.#views;
    const isBytes = images instanceof Uint8Array;
    const into = isBytes ? bytes : floats;
    const start = isBytes ? this.#shard.images : this.#shard.images / 4;
    into.set(images, start);
    into.fill(0, start + images.length, start + groupsOf(images.length / IMAGE_SIZE) * 4 * IMAGE_SIZE);
    return isBytes ? "bytes" : "float32";
  }

  #reserve(count: number): void {
    if (count <= this.#capacity) return;
    this.#shard = this.#makeRoom(count);
    this.#capacity = pairedGroups(count) * 4;
    this.#views = this.#makeViews();
  }

  #makeRoom(count: number): ShardLayout {
    const shard = layOutShard(this.#model.end, pairedGroups(count));
    const missing = Math.ceil((shard.end - this.#memory.buffer.byteLength) / WASM_PAGE_BYTES);
    if (missing > 0) {
      try {
        this.#memory.grow(missing);
      } catch (thrown) {
        const mebibytes = Math.ceil(shard.end / 2 ** 20);
        throw new LockstepError(
          "failed",
          `a shard of ${count} images needs ${mebibytes} MiB of WebAssembly memory, which cannot be had: use a smaller shard size`,
          { cause: thrown },
        );
      }
    }
    return shard;
  }

  #makeViews(): Views {
    const { buffer } = this.#memory;
    const model = this.#model;
    return {
      bytes: new Uint8Array(buffer),
      floats: new Float32Array(buffer),
      summary: new DataView(buffer, model.summary, 16),
      gradient: new Float32Array(buffer, model.gradient, PARAMETER_COUNT),
      mean: new Float32Array(buffer, model.mean, CHANNEL_COUNT),
      variance: new Float32Array(buffer, model.variance, CHANNEL_COUNT),
    };
  }
}
