/** The library entry "lockstep/engine": LeNet-5 gradients and logits without the distributed part. */
export { createEngine } from "./worker/engines/select.ts";
export type {
  DenseFinal,
  Engine,
  EngineName,
  EngineOptions,
  EvaluationInput,
  GpuDescription,
  Logits,
  ShardGradient,
  ShardInput,
} from "./worker/engines/engine.ts";
