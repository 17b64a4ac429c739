import { expect, test } from "vitest";
import type { EngineOptions } from "../../../../src/worker/engines/engine.ts";
import { openAdapter } from "../../../../src/worker/engines/webgpu/adapter.ts";
import type { Adapter, AdapterLimits, Gpu } from "../../../../src/worker/engines/webgpu/dawn.ts";

const SOFTWARE = "llvmpipe (LLVM 19.1.7, 256 bits)";
const H100 = "NVIDIA H100 80GB HBM3";
const RADEON = "AMD Radeon RX 6800 (RADV NAVI21)";

/** A Dawn with these adapters, the first of which it holds for the fastest. */
function machineWith(...names: readonly string[]): (option?: string) => Gpu {
  const adapters = names.map((name): Adapter => {
    const device = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");
    return {
      info: { device, description: "driver", isFallbackAdapter: name === SOFTWARE },
      limits: {} as AdapterLimits,
      requestDevice: () => Promise.reject(new Error("not needed")),
    };
  });
  return (option = "adapter=") => ({
    async requestAdapter() {
      const part = option.slice("adapter=".length);
      const found = adapters.find((_, i) => names[i]!.includes(part));
      if (found !== undefined || names.length === 0) return found ?? null;
      const list = names.map((name) => ` * backend: 'vulkan', name: '${name}'`);
      throw new Error(["no suitable backends found", "Available adapters:", ...list].join("\n"));
    },
  });
}

test.each<[string, readonly string[], EngineOptions["gpu"], string, string]>([
  ["whatever is there", [SOFTWARE], undefined, "", SOFTWARE],
  ["the fastest", [H100, SOFTWARE], undefined, "", H100],
  ["the GPU that was asked for", [SOFTWARE, RADEON, H100], { name: H100 }, "", H100],
  ["a GPU to whose name its driver adds", [SOFTWARE, RADEON], { name: "AMD Radeon RX 6800" }, "", RADEON],
  ["the processor, if no GPU may be used", [H100, SOFTWARE], "none", "", SOFTWARE],
  ["the one whose name was given in part", [H100, RADEON], undefined, "radeon", RADEON],
])("opens %s", async (_, there, gpu, namePart, expected) => {
  const { name, backend, adapter } = await openAdapter(machineWith(...there), gpu, namePart);
  expect([name, backend]).toEqual([expected, "vulkan"]);
  expect(adapter.info.isFallbackAdapter).toBe(expected === SOFTWARE);
});

test.each<[string, readonly string[], EngineOptions["gpu"], string, RegExp]>([
  ["nothing is there", [], undefined, "", /was to use a GPU, but there is no driver for any: install/],
  [
    "only the processor is",
    [SOFTWARE],
    { name: H100 },
    "",
    /NVIDIA H100 .*only llvmpipe .*computes on the processor: /,
  ],
  ["the processor has the name", [SOFTWARE], { name: "llvmpipe" }, "", /which computes on the processor: /],
  ["another GPU is", [RADEON], { name: H100 }, "", /use NVIDIA H100 80GB HBM3, but there is only AMD Radeon RX 6800/],
  [
    "only a GPU is, and may not be used",
    [H100],
    "none",
    "",
    /that computes on the processor, but there is only NVIDIA/,
  ],
  ["none has the name", [H100], undefined, "intel", /a GPU with "intel" in its name \(WEBGPU_ADAPTER\), but there is/],
])("opens nothing when %s", async (_, there, gpu, namePart, message) => {
  const opening = openAdapter(machineWith(...there), gpu, namePart);
  await expect(opening).rejects.toMatchObject({ code: "usage", message: expect.stringMatching(message) });
});
