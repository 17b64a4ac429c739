/** Instances of WebAssembly modules, wherever the modules come from: a file here, the network in a browser. Pure. */

import { LockstepError, messageOf } from "./errors.ts";

export const WASM_PAGE_BYTES = 65_536;

/** The module's instance and the memory it was given (as `env.memory`; kernels take byte addresses into it). */
export interface Kernels<Exports> {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
}

/**
 * An instance over a memory. `Exports` is the caller's word for what the module exports: nothing checks it.
 *
 * @param memory one of its own unless told
 */
export function instantiateModule<Exports>(
  module: WebAssembly.Module,
  memory = allocateMemory({ initial: 1 }),
): Kernels<Exports> {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return { exports: instance.exports as Exports, memory };
}

/**
 * A WebAssembly memory.
 * @throws LockstepError when the system does not let the process have the address space
 */
export function allocateMemory(descriptor: ConstructorParameters<typeof WebAssembly.Memory>[0]): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(descriptor);
  } catch (thrown) {
    const advice =
      'V8 sets aside some 10 GB of addresses, not of memory, for each: raise the limit of addresses ("ulimit -v unlimited"), or use fewer workers';
    throw new LockstepError("failed", `no addresses left for a WebAssembly memory (${messageOf(thrown)}): ${advice}`, {
      cause: thrown,
    });
  }
}
