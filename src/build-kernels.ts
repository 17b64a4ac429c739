/**
 * Build step: compiles every WebAssembly module into dist/kernels. Runs after tsc as `node dist/build-kernels.js`, or
 * at any time as `npx tsx src/build-kernels.ts`. A module whose source, options and compiler are those of the last
 * build is left alone, so building again costs nothing.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { KERNEL_MODULES } from "./kernel-modules.ts";
import { type KernelModule, kernelFile } from "./shared/kernel-module.ts";

/** Static data (tables of the AssemblyScript library's exp and log) starts here; address 0 stays unused. */
const MEMORY_BASE = 1024;

const OPTIONS = "-O3 --runtime stub --noAssert --enable simd --use abort= --importMemory";

function compilerOptions(module: KernelModule): string[] {
  const memory = ["--memoryBase", String(MEMORY_BASE), "--initialMemory", String(module.initialPages ?? 1)];
  const { sharedPages } = module;
  if (sharedPages !== undefined) {
    memory.push("--sharedMemory", "--enable", "threads", "--maximumMemory", String(sharedPages));
  }
  return [...OPTIONS.split(" "), ...memory];
}

/** Loads the compiler only when something is to be compiled: loading it takes longer than compiling. */
async function compile(module: KernelModule): Promise<Uint8Array> {
  const asc = await import("assemblyscript/asc");
  const messages = asc.createMemoryStream();
  const input = `${module.name}.ts`;
  let binary: Uint8Array | undefined;
  const { error } = await asc.main([input, "--outFile", `${module.name}.wasm`, ...compilerOptions(module)], {
    stdout: messages,
    stderr: messages,
    readFile: (file) => (file === input ? module.source : null),
    writeFile: (_file, contents) => {
      if (typeof contents !== "string") binary = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) {
    throw new Error(`compiling the "${module.name}" kernels failed: ${error?.message ?? ""}\n${messages.toString()}`);
  }
  return binary;
}

/** Everything that the binary depends on, as one hash. */
function fingerprint(module: KernelModule): string {
  const { version } = createRequire(import.meta.url)("assemblyscript/package.json") as { version: string };
  return createHash("sha256")
    .update(JSON.stringify([version, compilerOptions(module), module.source]))
    .digest("hex");
}

/** A reader sees the old file or the new one, never half of one. */
function replaceFile(file: string, contents: Uint8Array | string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, file);
}

for (const module of KERNEL_MODULES) {
  const file = kernelFile(module.name);
  const hashFile = `${file}.sha256`;
  const hash = fingerprint(module);
  if (existsSync(file) && existsSync(hashFile) && readFileSync(hashFile, "utf8") === hash) continue;
  const binary = await compile(module);
  mkdirSync(dirname(file), { recursive: true });
  replaceFile(file, binary);
  replaceFile(hashFile, hash);
  console.log(`compiled ${module.name}.wasm (${binary.byteLength} bytes)`);
}
