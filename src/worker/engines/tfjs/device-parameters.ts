import type * as core from "@tensorflow/tfjs-core";
import { invariant } from "../../../shared/errors.ts";
import { DEVICE_TENSORS, toDeviceOrder } from "./device-layout.ts";
import type { DeviceParameters } from "./network.ts";

/** The parameters' tensors, which live from one version of the parameters to the next. */
export interface UploadedParameters extends DeviceParameters {
  dispose(): void;
}

/** Copies parameters to the device. @param parameters `[61_750]` in table order */
export function uploadParameters(tf: typeof core, parameters: Float32Array): UploadedParameters {
  const ordered = toDeviceOrder(parameters);
  const tensors = new Map<string, core.Tensor>();
  for (const { name, shape, offset, size } of DEVICE_TENSORS) {
    // A tensor may keep the very array that it is made of: each has one of its own.
    tensors.set(name, tf.keep(tf.tensor(ordered.slice(offset, offset + size), [...shape])));
  }
  const get = (name: string): core.Tensor => {
    const found = tensors.get(name);
    invariant(found !== undefined, `${name} is on the device`);
    return found;
  };
  const norm = (layer: string) => ({
    gamma: get(`${layer}.weight`) as core.Tensor1D,
    beta: get(`${layer}.bias`) as core.Tensor1D,
  });
  const dense = (layer: string) => ({
    weight: get(`${layer}.weight`) as core.Tensor2D,
    bias: get(`${layer}.bias`) as core.Tensor1D,
  });
  return {
    ...{
      conv1: get("conv1.weight") as core.Tensor4D,
      bn1: norm("bn1"),
      conv2: get("conv2.weight") as core.Tensor4D,
      bn2: norm("bn2"),
    },
    ...{ fc1: dense("fc1"), fc2: dense("fc2"), fc3: dense("fc3") },
    dispose: () => tf.dispose([...tensors.values()]),
  };
}
