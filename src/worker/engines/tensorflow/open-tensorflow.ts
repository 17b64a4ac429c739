import { cpus } from "node:os";
import { isMainThread } from "node:worker_threads";
import type * as core from "@tensorflow/tfjs-core";
import { LockstepError } from "../../../shared/errors.ts";
import type { EngineOptions } from "../engine.ts";
import { composedLayers } from "../tfjs/composed-layers.ts";
import type { TfjsRuntime } from "../tfjs/tfjs-engine.ts";
import { tensorFlowEnvironment } from "./environment.ts";
import { firstMaximumGradient } from "./first-maximum-gradient.ts";
import { loadTensorFlow } from "./load-binding.ts";
import { nativeLayers } from "./native-layers.ts";
import type { TensorFlow } from "./node-backend.ts";
import { usableLayers } from "./usable-layers.ts";

/** What this process has loaded, which it keeps, and for which GPU: undefined for whatever there was. */
let loaded: { readonly tensorFlow: TensorFlow; readonly gpu: string | undefined } | undefined;

/**
 * Loads TensorFlow into this process, where it stays: what it reads from its environment holds for the first engine and
 * all later ones.
 *
 * @throws LockstepError ("usage") in a worker thread, when TensorFlow cannot be loaded, and when it does not use what it
 * was told to: another try would end alike
 */
export function openTensorFlow({ gpu, deterministic = true }: EngineOptions): TfjsRuntime {
  if (!isMainThread) {
    const message = "the tensorflow engine needs a process of its own, not a thread: choose --isolation process";
    throw new LockstepError("usage", message);
  }
  loaded ??= load(gpu, deterministic);
  const { tensorFlow } = loaded;
  const backend = tensorFlow.backend();
  const version = backend.binding.TF_Version;
  const wanted = typeof gpu === "object" ? gpu : undefined;
  const isRight = gpu === undefined || backend.isUsingGpuDevice === (gpu !== "none");
  if (!isRight && loaded.gpu !== nameOf(gpu)) {
    const [now, then] = [gpu, loaded.gpu].map((each) => (each === "none" ? "the CPU" : "a GPU"));
    const message = `an engine for ${now} cannot be had: TensorFlow was loaded in this process for ${then}; use another process`;
    throw new LockstepError("usage", message);
  }
  if (!isRight) {
    throw new LockstepError(
      "usage",
      `TensorFlow ${version} computes on the CPU, although ${wanted?.name} was asked for: it is built without CUDA, or does ` +
        "not find CUDA's and cuDNN's libraries; npx lockstep doctor says which are missing",
    );
  }
  const tf = tensorFlow as unknown as typeof core;
  const composed = { ...composedLayers(tf), poolGradient: firstMaximumGradient(tf) };
  const { layers, replaced } = usableLayers(tensorFlow, nativeLayers(tensorFlow, backend.isUsingGpuDevice), composed);
  return {
    name: "tensorflow",
    ...{ tf, backend: "tensorflow", layers },
    device: backend.isUsingGpuDevice ? (wanted?.name ?? "GPU (CUDA)") : cpuName(),
    runtime: `TensorFlow ${version}${replaced.length === 0 ? "" : `, composed: ${replaced.join(", ")}`}`,
    // Synchronous on this backend, whatever its promise says.
    read: (tensor) => tensor.dataSync<"float32">(),
    close: () => {},
  };
}

function load(gpu: EngineOptions["gpu"], deterministic: boolean): NonNullable<typeof loaded> {
  const { env } = process;
  for (const [name, value] of Object.entries(tensorFlowEnvironment(deterministic, gpu))) env[name] ??= value;
  const visible = env.CUDA_VISIBLE_DEVICES;
  env.CUDA_VISIBLE_DEVICES = visibleTo(gpu, visible);
  try {
    return { tensorFlow: loadTensorFlow(), gpu: nameOf(gpu) };
  } finally {
    // TensorFlow has read it by now; programs that this one starts are not meant.
    if (visible === undefined) delete env.CUDA_VISIBLE_DEVICES;
    else env.CUDA_VISIBLE_DEVICES = visible;
  }
}

/** One GPU at most: of several the binding would put data on the last one, and compute on the first. */
function visibleTo(gpu: EngineOptions["gpu"], visible = "0"): string {
  if (gpu === "none") return "-1";
  return gpu?.uuid ?? visible.split(",")[0] ?? "";
}

function nameOf(gpu: EngineOptions["gpu"]): string | undefined {
  return typeof gpu === "object" ? (gpu.uuid ?? gpu.name) : gpu;
}

/** With its model: TensorFlow's kernels, and with them the last bits, depend on what instructions it has. */
function cpuName(): string {
  const model = cpus()[0]?.model.trim();
  return model === undefined || model === "" ? "cpu" : `cpu (${model})`;
}
