import { LockstepError } from "../../shared/errors.ts";
import type { Engine, EngineName, EngineOptions } from "./engine.ts";

export const ENGINE_NAMES = ["wasm", "tensorflow", "webgpu", "reference"] as const satisfies readonly EngineName[];

/**
 * Makes an engine. Its code is loaded only when it is asked for.
 *
 * @param name "auto" takes the fastest engine that works everywhere: wasm
 * @throws LockstepError ("usage") when there is no such engine, or it cannot run here: the message says what would help
 */
export async function createEngine(name: EngineName | "auto", options: EngineOptions = {}): Promise<Engine> {
  checkOptions(options);
  switch (name) {
    case "auto":
    case "wasm": {
      const { openWasm } = await import("./wasm/open-wasm.ts");
      return openWasm();
    }
    case "tensorflow": {
      const { openTensorFlow } = await import("./tensorflow/open-tensorflow.ts");
      const { TfjsEngine } = await import("./tfjs/tfjs-engine.ts");
      return new TfjsEngine(openTensorFlow(options));
    }
    case "webgpu": {
      const { openWebGpu } = await import("./webgpu/open-webgpu.ts");
      const { TfjsEngine } = await import("./tfjs/tfjs-engine.ts");
      return new TfjsEngine(await openWebGpu(options));
    }
    case "reference": {
      const { ReferenceEngine } = await import("./reference/reference-engine.ts");
      return new ReferenceEngine();
    }
    default:
      name satisfies never;
      throw new LockstepError(
        "usage",
        `there is no engine named "${String(name)}": choose auto, ${ENGINE_NAMES.slice(0, -1).join(", ")} or ${ENGINE_NAMES.at(-1)}`,
      );
  }
}

/** @throws LockstepError ("usage") for what JavaScript lets through */
function checkOptions({ gpu }: EngineOptions): void {
  const isGpu = gpu === undefined || gpu === "none" || (typeof gpu === "object" && typeof gpu?.name === "string");
  if (!isGpu) {
    const message = `gpu is ${JSON.stringify(gpu)}: leave it out, or pass "none" or a GPU, { name, uuid }`;
    throw new LockstepError("usage", message);
  }
}
