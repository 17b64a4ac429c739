import type { EngineOptions } from "../engine.ts";

/**
 * What TensorFlow is told through its environment, which it reads once, when it is loaded. What the user has set is left
 * alone.
 */
export function tensorFlowEnvironment(
  deterministic: boolean,
  gpu: EngineOptions["gpu"],
): Readonly<Record<string, string>> {
  return {
    // Its greetings, in four lines; where a GPU is wanted, its warnings say why there is none; where none is wanted, it
    // would complain of that.
    TF_CPP_MIN_LOG_LEVEL: gpu === "none" ? "3" : gpu === undefined ? "2" : "1",
    // Else the first process takes all of a GPU's memory.
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
    // One worker a core is faster than one worker on all cores, and sums are then added in one order.
    TF_NUM_INTRAOP_THREADS: "1",
    TF_NUM_INTEROP_THREADS: "1",
    ...(deterministic
      ? {
          TF_DETERMINISTIC_OPS: "1",
          TF_CUDNN_DETERMINISTIC: "1",
          // Timing which algorithm is fastest could choose another one each time.
          TF_CUDNN_USE_AUTOTUNE: "0",
          // The kernels that cuDNN's newer interface chooses are less exact: on an H200 conv1's gradient of 1,024 images is
          // wrong by 5e-3 of its largest value, with the older interface by 5e-5.
          TF_CUDNN_USE_FRONTEND: "0",
          // Tensor cores' 10-bit mantissas are as deterministic, but further from what the other engines compute.
          NVIDIA_TF32_OVERRIDE: "0",
        }
      : {}),
  };
}
