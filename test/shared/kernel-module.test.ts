import { expect, onTestFinished, test, vi } from "vitest";
import { LockstepError } from "../../src/shared/errors.ts";
import { sharedMemory, VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { WASM_PAGE_BYTES } from "../../src/shared/kernel-instance.ts";
import { instantiateKernels, loadKernels } from "../../src/shared/kernel-module.ts";

test("a module is instantiated over a memory of its own", () => {
  const first = instantiateKernels<{ firstFreeByte(): number }>("lenet5", 3);
  const second = instantiateKernels<{ firstFreeByte(): number }>("lenet5");
  expect(first.memory.buffer.byteLength).toBe(3 * WASM_PAGE_BYTES);
  expect(second.memory).not.toBe(first.memory);
  expect(first.exports.firstFreeByte()).toBeLessThan(WASM_PAGE_BYTES);
});

test("a module that was never built is refused with what to do", () => {
  expect(() => loadKernels("absent")).toThrow(LockstepError);
  expect(() => loadKernels("absent")).toThrow(/absent\.wasm .*: run "npm run build"/);
});

test("a system without addresses for a memory is told of in one sentence", () => {
  vi.stubGlobal("WebAssembly", {
    ...{ Module: WebAssembly.Module, Instance: WebAssembly.Instance },
    Memory: class {
      constructor() {
        throw new RangeError("could not allocate memory");
      }
    },
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  expect(() => sharedMemory()).toThrow(LockstepError);
  expect(() => new VectorMemory()).toThrow(/^no addresses left .*could not allocate memory.*ulimit -v unlimited/);
});
