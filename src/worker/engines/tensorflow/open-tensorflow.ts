import { cpus } from "node:os";
import { isMainThread } from "node:worker_threads";
import type * as core from "@tensorflow/tfjs-core";
import { LockstepError } from "../../../shared/errors.ts";
import type { EngineOptions } from "../engine.ts";
import { composedLayers } from "../tfjs/composed-layers.ts";
import type { TfjsRuntime } from "../tfjs/tfjs-engine.ts";
import { tensorFlowEnvironment } from "./environment.ts";
import { loadTensorFlow } from "./load-binding.ts";
import { nativeLayers } from "./native-layers.ts";
import { usableLayers } from "./usable-layers.ts";

/**
 * Loads TensorFlow into this process, where it stays: options that it reads from its environment hold for the first
 * engine and all later ones. Which GPU it sees is decided by `CUDA_VISIBLE_DEVICES` before.
 *
 * @throws LockstepError ("usage") in a worker thread, and when TensorFlow cannot be loaded or does not use what it was
 * told to: another try would end alike
 */
export function openTensorFlow({ gpu, deterministic = true }: EngineOptions): TfjsRuntime {
  if (!isMainThread) {
    const message = "the tensorflow engine needs a process of its own, not a thread: choose --isolation process";
    throw new LockstepError("usage", message);
  }
  const isGpuWanted = gpu !== undefined && gpu !== "none";
  if (gpu === "none") process.env.CUDA_VISIBLE_DEVICES = "-1";
  for (const [name, value] of Object.entries(tensorFlowEnvironment(deterministic, isGpuWanted))) {
    process.env[name] ??= value;
  }
  const tensorFlow = loadTensorFlow();
  const backend = tensorFlow.backend();
  const version = backend.binding.TF_Version;
  if (isGpuWanted && !backend.isUsingGpuDevice) {
    throw new LockstepError(
      "usage",
      `TensorFlow ${version} computes on the CPU, although ${gpu.name} was asked for: it is built without CUDA, or does ` +
        "not find CUDA's and cuDNN's libraries; npx lockstep doctor says which are missing",
    );
  }
  if (gpu === "none" && backend.isUsingGpuDevice) {
    const message = "TensorFlow was loaded in this process before and uses a GPU: create the engine for the CPU first";
    throw new LockstepError("usage", message);
  }
  const tf = tensorFlow as unknown as typeof core;
  const native = nativeLayers(tensorFlow, backend.isUsingGpuDevice);
  const { layers, replaced } = usableLayers(tensorFlow, native, composedLayers(tf));
  return {
    name: "tensorflow",
    ...{ tf, backend: "tensorflow", layers },
    device: backend.isUsingGpuDevice ? (isGpuWanted ? gpu.name : "GPU (CUDA)") : cpuName(),
    runtime: `TensorFlow ${version}${replaced.length === 0 ? "" : `, composed: ${replaced.join(", ")}`}`,
    // Synchronous on this backend, whatever its promise says.
    read: (tensor) => tensor.dataSync<"float32">(),
    close: () => {},
  };
}

/** With its model: TensorFlow's kernels, and with them the last bits, depend on what instructions it has. */
function cpuName(): string {
  const model = cpus()[0]?.model.trim();
  return model === undefined || model === "" ? "cpu" : `cpu (${model})`;
}
