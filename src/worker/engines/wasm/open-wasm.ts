import { instantiateKernels } from "../../../shared/kernel-module.ts";
import type { Lenet5Kernels } from "./kernel-exports.ts";
import { WasmEngine } from "./wasm-engine.ts";

/**
 * The wasm engine, with the kernels that the build has compiled.
 *
 * @throws LockstepError when the build has not made them
 */
export function openWasm(): WasmEngine {
  return new WasmEngine(instantiateKernels<Lenet5Kernels>("lenet5"));
}
