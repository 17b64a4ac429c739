/** The interface of every engine: something that holds LeNet-5's parameters and computes a shard's gradient. */

export type EngineName = "wasm" | "tensorflow" | "webgpu" | "reference";

/** What an engine is asked for, beyond its name; `wasm` and `reference` have no use for it. */
export interface EngineOptions {
  /**
   * The GPU to compute on: the engine fails rather than use none. "none": it must not use one. Left out, it uses the first
   * that the environment shows it, or the CPU.
   */
  readonly gpu?: GpuDescription | "none";
  /** Whether the same call must give the same bits, which may be slower on a GPU. Default: true. */
  readonly deterministic?: boolean;
}

export interface GpuDescription {
  /** As its maker calls it: "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  /** CUDA's name for it, "GPU-..." or "MIG-...": with it the tensorflow engine sees no other. */
  readonly uuid?: string;
  /** Version of its driver. */
  readonly driver?: string;
}

/**
 * Images, `[n][32][32]`, row-major: normalised pixels as float32, or pixels from 0 (background) to 255, which the engine
 * normalises as `NORMALISED` in shared/data/preprocess.ts says. Bytes are a quarter of the traffic.
 */
export type Images = Float32Array | Uint8Array;

export interface ShardInput {
  readonly images: Images;
  /** Class of each image, `[n]`, 0 to 9. */
  readonly labels: Uint8Array;
  /** Samples in the whole global batch: the gradient is divided by this, not by the shard's own size. */
  readonly globalCount: number;
  /**
   * Share of each label that is spread evenly over all classes (Szegedy et al. 2016, section 7), from 0 to below 1: the
   * loss is the cross-entropy with (1 - labelSmoothing) * one-hot + labelSmoothing / 10. Default: 0.
   */
  readonly labelSmoothing?: number;
}

/**
 * What a shard contributes. The arrays may be views into the engine's memory: they stay valid until the next call on
 * the same engine, so copy what must be kept.
 */
export interface ShardGradient {
  /** `[61_750]` in table order: gradient of (sum of the shard's losses) / globalCount. */
  readonly gradient: Float32Array;
  /** Sum (not mean) of the shard's cross-entropy losses with the smoothed labels, in nats. */
  readonly lossSum: number;
  /** Images whose largest logit is the label's (first index wins a tie). */
  readonly correct: number;
  /** `[22]`: per-channel batch mean, 6 channels of bn1, then 16 of bn2. */
  readonly batchMean: Float32Array;
  /** `[22]`: per-channel biased batch variance, in the same order. */
  readonly batchVar: Float32Array;
}

/**
 * Called once within `gradients`, before it returns, when everything but the convolution part of the gradient is
 * final: the dense layers' gradient (from `fc1.weight` on), loss, correct count and batch statistics. The first 2,616
 * values (conv1 to bn2) are not to be read yet. An engine that has no such moment may leave the call out.
 */
export type DenseFinal = (partial: ShardGradient) => void;

export interface EvaluationInput {
  readonly images: Images;
  /** Class of each image, `[n]`; only its length is used by engines. */
  readonly labels: Uint8Array;
  /** `[22]`: running mean, 6 channels of bn1, then 16 of bn2. */
  readonly runningMean: Float32Array;
  /** `[22]`: running variance, in the same order. */
  readonly runningVar: Float32Array;
}

export interface Logits {
  /** `[n][10]`, valid until the next call on the same engine. */
  readonly logits: Float32Array;
}

export interface Engine {
  readonly name: EngineName;
  /** What computes, in words for a person: "cpu (WebAssembly SIMD)", "NVIDIA H100 80GB HBM3". */
  readonly device: string;
  /** The library that computes, with its version, where that is not lockstep itself: "TensorFlow 2.18.0". */
  readonly runtime?: string;
  /**
   * Copies parameters in: all `[61_750]` in table order, or, once that was done, a run of them.
   * @param start index of the run's first parameter
   */
  load(parameters: Float32Array, start?: number): void;
  /** Forward and backward pass with batch statistics, for any shard of 1 image or more. */
  gradients(shard: ShardInput, denseFinal?: DenseFinal): ShardGradient | Promise<ShardGradient>;
  /** Forward pass with running statistics. */
  evaluate(batch: EvaluationInput): Logits | Promise<Logits>;
  dispose(): void | Promise<void>;
}
