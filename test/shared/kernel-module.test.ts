import { expect, test } from "vitest";
import { LockstepError } from "../../src/shared/errors.ts";
import { WASM_PAGE_BYTES, instantiateKernels, loadKernels } from "../../src/shared/kernel-module.ts";

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
