import { RESIZE_KERNEL } from "./shared/data/resize-kernel.ts";
import type { KernelModule } from "./shared/kernel-module.ts";
import { SHARED_VECTOR_KERNELS, VECTOR_KERNELS } from "./shared/vector/kernels.ts";
import { LENET5_KERNELS } from "./worker/engines/wasm/kernels.ts";

/** Every WebAssembly module that the build makes. */
export const KERNEL_MODULES: readonly KernelModule[] = [
  LENET5_KERNELS,
  VECTOR_KERNELS,
  SHARED_VECTOR_KERNELS,
  RESIZE_KERNEL,
];
