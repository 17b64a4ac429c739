import { expect, test } from "vitest";
import { tensorFlowEnvironment } from "../../../../src/worker/engines/tensorflow/environment.ts";

/** Without any one of these, gradients on a GPU differ from call to call, or from other engines' by far more than rounding. */
const EXACT_ON_A_GPU = {
  TF_DETERMINISTIC_OPS: "1",
  TF_CUDNN_DETERMINISTIC: "1",
  TF_CUDNN_USE_AUTOTUNE: "0",
  TF_CUDNN_USE_FRONTEND: "0",
  NVIDIA_TF32_OVERRIDE: "0",
};

test("deterministic mode asks cuDNN and cuBLAS for the same exact kernels every time", () => {
  expect(tensorFlowEnvironment(true, { name: "NVIDIA H200" })).toMatchObject(EXACT_ON_A_GPU);
});

test("without it TensorFlow chooses freely, and still leaves the rest of the GPU's memory to others", () => {
  const free = tensorFlowEnvironment(false, { name: "NVIDIA H200" });
  expect(Object.keys(free).filter((name) => name in EXACT_ON_A_GPU)).toEqual([]);
  expect(free["TF_FORCE_GPU_ALLOW_GROWTH"]).toBe("true");
});
