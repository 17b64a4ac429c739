import { LockstepError } from "../../shared/errors.ts";
import type { Engine, EngineName } from "./engine.ts";

export const ENGINE_NAMES = ["wasm", "reference"] as const satisfies readonly EngineName[];

/**
 * Makes an engine. Its code is loaded only when it is asked for.
 *
 * @param name "auto" takes the fastest engine that works everywhere: wasm
 * @throws LockstepError ("usage") when there is no such engine
 */
export async function createEngine(name: EngineName | "auto"): Promise<Engine> {
  switch (name) {
    case "auto":
    case "wasm": {
      const { WasmEngine } = await import("./wasm/wasm-engine.ts");
      return new WasmEngine();
    }
    case "reference": {
      const { ReferenceEngine } = await import("./reference/reference-engine.ts");
      return new ReferenceEngine();
    }
    default:
      name satisfies never;
      throw new LockstepError(
        "usage",
        `there is no engine named "${String(name)}": choose auto, ${ENGINE_NAMES.join(" or ")}`,
      );
  }
}
