/** NVIDIA GPUs as lockstep knows them: what they are called, and what is said about them. */

export interface Gpu {
  /** What `--gpu` counts: from 0, over the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order. */
  readonly index: number;
  /** Names the GPU for CUDA, whose own numbering differs from nvidia-smi's: "GPU-…", or "MIG-…" for a part of one. */
  readonly uuid: string;
  /** "NVIDIA H100 80GB HBM3" */
  readonly name: string;
  /** Version of the driver. */
  readonly driver?: string;
  readonly memoryMiB?: number;
  /** "9.0" */
  readonly computeCapability?: string;
}

/** The GPUs of this machine that may be used. */
export interface FoundGpus {
  readonly gpus: readonly Gpu[];
  /** Why there are none, to stand in parentheses; only where there are none. */
  readonly reason?: string;
}

/** A GPU in a sentence: "GPU 0 (NVIDIA H100 80GB HBM3, GPU-…)". */
export function gpuText({ index, name, uuid }: Gpu): string {
  return `GPU ${index} (${name}, ${uuid})`;
}

/** What there is to choose from: "GPUs to use: GPU 0 (…), GPU 1 (…)". */
export function foundText({ gpus, reason }: FoundGpus): string {
  if (gpus.length === 0) return `no GPU to use (${reason ?? "unknown why"})`;
  return `GPUs to use: ${gpus.map(gpuText).join(", ")}`;
}
