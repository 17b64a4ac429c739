/**
 * What the layers' forms cost on the real TensorFlow, and how exact they are: `node --import tsx
 * test/bench/tensorflow-layers.ts` after `npm run setup:gpu`. Figures for docs/decisions/0012.
 */

import type * as core from "@tensorflow/tfjs-core";
import { ReferenceEngine } from "../../src/worker/engines/reference/reference-engine.ts";
import { nativeLayers } from "../../src/worker/engines/tensorflow/native-layers.ts";
import type { TensorFlow } from "../../src/worker/engines/tensorflow/node-backend.ts";
import { openTensorFlow } from "../../src/worker/engines/tensorflow/open-tensorflow.ts";
import { composedLayers } from "../../src/worker/engines/tfjs/composed-layers.ts";
import { TfjsEngine } from "../../src/worker/engines/tfjs/tfjs-engine.ts";
import { worstDifference } from "../../src/worker/engines/worst-difference.ts";
import { readGolden } from "../golden/golden.ts";

const COUNTED = "batch-64";
const COMPARED = ["batch-32", "batch-64", "batch-128"] as const;
const ROUNDS = 9;
const CALLS = 50;

const opened = openTensorFlow({ gpu: "none" });
const tensorFlow = opened.tf as unknown as TensorFlow;
const forms = {
  "native, as on a GPU": nativeLayers(tensorFlow, true),
  "native, as on a CPU": nativeLayers(tensorFlow, false),
  composed: composedLayers(opened.tf),
};
const engines = Object.entries(forms).map(([form, layers]) => [form, new TfjsEngine({ ...opened, layers })] as const);

for (const [form, engine] of engines) {
  const { parameters, shard } = readGolden(COUNTED);
  engine.load(parameters);
  await engine.gradients(shard);
  const counted = await count(tensorFlow, () => engine.gradients(shard));
  const uploadedKB = (counted.uploadedBytes - shard.images.byteLength) / 1e3;
  console.log(`${form}, ${COUNTED}: ${counted.operations} operations, ${uploadedKB.toFixed(1)} KB beside the images`);
  for (const name of COMPARED) {
    const golden = readGolden(name);
    const reference = new ReferenceEngine();
    reference.load(golden.parameters);
    engine.load(golden.parameters);
    const expected = reference.gradients(golden.shard).gradient;
    const found = (await engine.gradients(golden.shard)).gradient;
    const { tensor, relative } = worstDifference(expected, found);
    console.log(`  ${name}: differs from the reference by ${(relative * 100).toFixed(3)} % in ${tensor}`);
  }
}

const { parameters, shard } = readGolden("batch-32");
const times = engines.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [i, [, engine]] of engines.entries()) {
    const startedAt = performance.now();
    for (let call = 0; call < CALLS; call++) {
      engine.load(parameters);
      await engine.gradients(shard);
    }
    times[i]!.push((performance.now() - startedAt) / CALLS);
  }
}
for (const [i, [form]] of engines.entries()) {
  const median = times[i]!.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  const ratios = times[i]!.map((time, round) => time / times[0]![round]!).toSorted((a, b) => a - b);
  console.log(
    `${form}, 32 images: median ${median.toFixed(2)} ms, ${ratios[ROUNDS >> 1]!.toFixed(2)} of the first form's`,
  );
}

/** What the binding is asked to do meanwhile. */
async function count(
  tf: TensorFlow,
  work: () => Promise<unknown>,
): Promise<{ operations: number; uploadedBytes: number }> {
  const backend = tf.backend() as unknown as { binding: Record<string, unknown> };
  const { binding } = backend;
  const done = { operations: 0, uploadedBytes: 0 };
  // Its own properties cannot be replaced: a copy is counted on.
  const copy: Record<string, unknown> = {};
  for (const name of Object.getOwnPropertyNames(binding)) {
    const value = binding[name];
    copy[name] = typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(binding) : value;
  }
  const { executeOp, createTensor } = copy as Record<string, (...args: unknown[]) => unknown>;
  copy["executeOp"] = (...args: unknown[]) => {
    done.operations += 1;
    return executeOp!(...args);
  };
  copy["createTensor"] = (shape: unknown, type: unknown, values: core.TypedArray) => {
    done.uploadedBytes += values.byteLength;
    return createTensor!(shape, type, values);
  };
  backend.binding = copy;
  try {
    await work();
  } finally {
    backend.binding = binding;
  }
  return done;
}
