import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LockstepError, messageOf } from "./errors.ts";
import { allocateMemory, instantiateModule, type Kernels } from "./kernel-instance.ts";

/** A WebAssembly module that the build compiles from AssemblyScript source to `dist/kernels/<name>.wasm`. */
export interface KernelModule {
  readonly name: string;
  /** AssemblyScript source text. It may use `v128`; it must not allocate. */
  readonly source: string;
  /** Pages of 64 KiB that the imported memory must have at least; 1 unless told. */
  readonly initialPages?: number;
  /** The imported memory is shared between threads, and has at most so many pages. */
  readonly sharedPages?: number;
}

/** Seen from `src/shared` and from `dist/shared` alike. */
const KERNEL_FOLDER = new URL("../../dist/kernels/", import.meta.url);

/** Where the build puts a module's binary. */
export function kernelFile(name: string): string {
  return fileURLToPath(new URL(`${name}.wasm`, KERNEL_FOLDER));
}

/**
 * Compiles a built module synchronously (a few ms).
 * @throws LockstepError when the build has not made it
 */
export function loadKernels(name: string): WebAssembly.Module {
  const file = kernelFile(name);
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = readFileSync(file);
  } catch (thrown) {
    throw new LockstepError(
      "failed",
      `cannot read the compiled kernels ${file} (${messageOf(thrown)}): run "npm run build"`,
    );
  }
  return new WebAssembly.Module(bytes);
}

/**
 * Loads a module and instantiates it over a memory of its own. `Exports` is the caller's word for what the source
 * exports: nothing checks it.
 */
export function instantiateKernels<Exports>(name: string, pages = 1): Kernels<Exports> {
  return instantiateOver<Exports>(name, allocateMemory({ initial: pages }));
}

/** The same over a memory that is there. */
export function instantiateOver<Exports>(name: string, memory: WebAssembly.Memory): Kernels<Exports> {
  return instantiateModule<Exports>(loadKernels(name), memory);
}
