/** Options about those that compute: how many, on what, and with which engine. */

import { gpuChoice, gpuChoices, integer, integerOrAuto, oneOf, toggle } from "../config-values.ts";

export const fleet = {
  minWorkers: integer(1, 256).default(1).describe("pause while fewer workers are ready"),
  joinTimeoutS: integer(0, 604_800)
    .default(600)
    .describe("give up after this many seconds below --min-workers; 0 waits for ever"),
};

export const engine = {
  engine: oneOf(["auto", "wasm", "tensorflow", "webgpu", "reference"])
    .default("auto")
    .describe("what computes the gradients; auto is wasm, or tensorflow where a GPU is named"),
  deterministic: toggle()
    .default(true)
    .describe("the same work gives the same bits, which is slower on GPUs; wasm and reference always do"),
};

export const gpu = {
  gpu: gpuChoice()
    .default("auto")
    .describe(
      "the GPU that engine tensorflow computes on; auto: the first that no other lockstep uses, if there is any",
    ),
};

export const shareGpu = {
  shareGpu: toggle().default(false).describe("let several workers of this machine compute on one GPU"),
};

export const localWorkers = {
  workers: integerOrAuto(1, 256)
    .default("auto")
    .describe("workers to start on this machine; auto takes one per core that helps"),
  ...engine,
  gpus: gpuChoices().exactOptional().describe("GPUs for engine tensorflow, a worker on each; all if not given"),
  ...shareGpu,
  isolation: oneOf(["auto", "thread", "process"])
    .default("auto")
    .describe(
      "workers as threads that share memory, or as processes over ZeroMQ, as in a fleet; auto: threads with engines " +
        "wasm and reference, which is faster, processes with the others",
    ),
};
