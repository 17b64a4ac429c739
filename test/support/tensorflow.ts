import { loadTensorFlow } from "../../src/worker/engines/tensorflow/load-binding.ts";

/** Why TensorFlow cannot be tested here; undefined when it can. */
export const tensorFlowMissing = reasonWhyNot();

function reasonWhyNot(): string | undefined {
  // What is loaded stays in this process: it must be told the same as an engine would tell it.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  process.env["TF_NUM_INTRAOP_THREADS"] ??= "1";
  process.env["TF_NUM_INTEROP_THREADS"] ??= "1";
  process.env["TF_DETERMINISTIC_OPS"] ??= "1";
  try {
    loadTensorFlow();
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
