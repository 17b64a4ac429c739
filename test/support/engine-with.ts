import type { Engine } from "../../src/worker/engines/engine.ts";

/** An engine with other gradients, or with something around its own. */
export function engineWith(engine: Engine, gradients: Engine["gradients"]): Engine {
  return {
    ...{ name: engine.name, device: engine.device, gradients },
    load: (parameters, start) => engine.load(parameters, start),
    evaluate: (batch) => engine.evaluate(batch),
    dispose: () => engine.dispose(),
  };
}
