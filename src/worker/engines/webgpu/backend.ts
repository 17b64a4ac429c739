import type { Tensor } from "@tensorflow/tfjs-core";
import { invariant } from "../../../shared/errors.ts";
import type { EngineOptions } from "../engine.ts";
import { composedLayers } from "../tfjs/composed-layers.ts";
import type { TfjsRuntime } from "../tfjs/tfjs-engine.ts";
import { openAdapter } from "./adapter.ts";
import { type AdapterLimits, type WebGpuPackages, importWebGpu, instanceOf } from "./dawn.ts";
import { DeviceWatch } from "./device-watch.ts";
import { giveGradientToFirst } from "./pool-gradient.ts";

/** Flags of the backend: let it choose, or the way whose tiles suit the shards of this small network. */
const CHOOSE = -1;
const SMALL_TILES = 2;

export interface WebGpuBackend extends TfjsRuntime {
  readonly close: () => void;
}

/** Opens a GPU and makes it the backend of TensorFlow.js in this thread. For the parameters see `openAdapter`. */
export async function openBackend(
  gpu: EngineOptions["gpu"],
  deterministic: boolean,
  namePart: string,
): Promise<WebGpuBackend> {
  const { tf, dawn, dawnVersion, WebGPUBackend } = await importWebGpu();
  const { adapter, name, backend: system } = await openAdapter((option) => instanceOf(dawn, option), gpu, namePart);
  const device = await adapter.requestDevice({ requiredLimits: largestLimits(adapter.limits) });
  const watch = new DeviceWatch(device, name);

  Object.assign(globalThis, dawn.globals);
  setFlags(tf, deterministic);
  giveGradientToFirst(tf);
  tf.registerBackend("webgpu", () => withNavigator(() => new WebGPUBackend(device, adapter.info)));
  invariant(await tf.setBackend("webgpu"), "the webgpu backend starts on an open device");
  return {
    name: "webgpu",
    ...{ tf, backend: "webgpu", layers: composedLayers(tf) },
    device: name,
    runtime: `Dawn (webgpu ${dawnVersion}), ${system}: ${adapter.info.description}`,
    read: (tensor: Tensor) => watch.until(tensor.data<"float32">()),
    close: () => {
      tf.removeBackend("webgpu");
      device.destroy();
    },
  };
}

/** WebGPU grants the least that every GPU has, unless more is asked for. */
function largestLimits(limits: AdapterLimits): AdapterLimits {
  return {
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
  };
}

function setFlags(tf: WebGpuPackages["tf"], deterministic: boolean): void {
  // Otherwise small tensors are computed with on the processor as long as they are still there.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  // By size, the backend chooses among several ways to multiply matrices. One of them, for inner dimensions from 2,000 on,
  // adds up in whatever order its parts finish. With one way for all sizes an image's logits do not depend on its batch.
  tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", deterministic ? SMALL_TILES : CHOOSE);
  tf.env().set("WEBGPU_THRESHOLD_TO_INCREASE_WORKGROUPS_FOR_MATMUL", deterministic ? 0 : CHOOSE);
}

/** Calls `make` while there is a `navigator.gpu`, by which the backend's constructor tells that there is WebGPU. */
function withNavigator<T>(make: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu: true }, configurable: true });
  try {
    return make();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "navigator");
    else Object.defineProperty(globalThis, "navigator", before);
  }
}
