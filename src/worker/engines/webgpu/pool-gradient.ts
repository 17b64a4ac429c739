import type { KernelBackend, KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../shared/errors.ts";
import type { WebGpuPackages } from "./dawn.ts";

/** Calls of this file's kernel, so that it does not wrap itself where a backend is opened again. */
const wrapped = new WeakSet<KernelFunc>();

/**
 * Of equal values in a pooling window the first gets the gradient: PyTorch and all other engines do so, this backend gives
 * it to the last. Seen backwards the last is the first, so its inputs are reversed and so is its result.
 */
export function giveGradientToFirst({ getKernel, registerKernel, unregisterKernel }: WebGpuPackages["tf"]): void {
  const last = kernel("MaxPoolGrad");
  if (wrapped.has(last)) return;
  const reverse = kernel("Reverse");
  const first: KernelFunc = ({ inputs, backend, attrs = {} }) => {
    const { dy, input } = inputs as { readonly dy: TensorInfo; readonly input: TensorInfo };
    invariant(isTiled(dy, input), "pooling windows cover the image and do not overlap");
    const flip = (x: TensorInfo) => reverse({ inputs: { x }, backend, attrs: { dims: [1, 2] } }) as TensorInfo;
    const [flippedDy, flippedInput] = [flip(dy), flip(input)];
    const gradient = last({ inputs: { ...inputs, dy: flippedDy, input: flippedInput }, backend, attrs }) as TensorInfo;
    const result = flip(gradient);
    for (const { dataId } of [flippedDy, flippedInput, gradient]) (backend as KernelBackend).disposeData(dataId);
    return result;
  };
  wrapped.add(first);
  unregisterKernel("MaxPoolGrad", "webgpu");
  registerKernel({ kernelName: "MaxPoolGrad", backendName: "webgpu", kernelFunc: first });

  function kernel(name: string): KernelFunc {
    const found = getKernel(name, "webgpu");
    invariant(found !== undefined, `the webgpu backend has the kernel ${name}`);
    return found.kernelFunc;
  }
}

/** Whether windows of 2 by 2, two apart, are the same windows when counted from the other end. */
function isTiled({ shape: [, rows, columns] }: TensorInfo, { shape }: TensorInfo): boolean {
  return shape[1] === 2 * rows! && shape[2] === 2 * columns!;
}
