import { execFileSync } from "node:child_process";
import type * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { EngineOptions, ShardGradient } from "../../../../src/worker/engines/engine.ts";
import { createEngine } from "../../../../src/worker/engines/select.ts";
import { loadTensorFlow } from "../../../../src/worker/engines/tensorflow/load-binding.ts";
import { nativeLayers } from "../../../../src/worker/engines/tensorflow/native-layers.ts";
import { usableLayers } from "../../../../src/worker/engines/tensorflow/usable-layers.ts";
import { composedLayers } from "../../../../src/worker/engines/tfjs/composed-layers.ts";
import { engineCompliance } from "../../../compliance/engine.ts";
import { readGolden } from "../../../golden/golden.ts";
import { tensorFlowMissing } from "../../../support/tensorflow.ts";

/** On the real TensorFlow, on a CPU. */

engineCompliance("tensorflow", {
  create: () => createEngine("tensorflow", { gpu: "none" }),
  // Its convolutions' gradients are sums of up to 100,000 products, added up in few accumulators.
  tolerance: 1e-3,
  deterministic: true,
  batchInvariant: false,
  missing: tensorFlowMissing,
});

const reason = tensorFlowMissing === undefined ? "" : ` (${tensorFlowMissing})`;

describe.skipIf(tensorFlowMissing !== undefined)(`TensorFlow itself${reason}`, () => {
  test.each([false, true])("has all native layers on its CPU, with its own statistics: %s", (isGpu) => {
    const tensorFlow = loadTensorFlow();
    const composed = composedLayers(tensorFlow as unknown as typeof tf);
    expect(usableLayers(tensorFlow, nativeLayers(tensorFlow, isGpu), composed).replaced).toEqual([]);
  });

  test("says what it is, and where it computes", async () => {
    const engine = await createEngine("tensorflow", { gpu: "none" });
    expect(engine.device).toMatch(/^cpu( \(.+\))?$/);
    expect(engine.runtime).toMatch(/^TensorFlow 2\.\d+\.\d+$/);
    await engine.dispose();
  });

  test("is not disturbed by another backend in the process", async () => {
    const { parameters, shard } = readGolden("batch-1");
    const engine = await createEngine("tensorflow", { gpu: "none" });
    engine.load(parameters);
    const expected = (await engine.gradients(shard)).gradient.slice();
    const core = loadTensorFlow();
    await core.setBackend("cpu");
    expect((await engine.gradients(shard)).gradient).toEqual(expected);
    expect(core.getBackend()).toBe("tensorflow");
    await engine.dispose();
  });

  test("a GPU that was asked for and is not there is an error, whatever TensorFlow would do", async () => {
    // In a process of its own: this one has TensorFlow already, for the CPU.
    const asked: EngineOptions = { gpu: { name: "NVIDIA Imaginary 9000" } };
    await expect(createEngine("tensorflow", asked)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/cannot be had: TensorFlow was loaded in this process for the CPU/) as string,
    });
    const script = `
      import { createEngine } from "./src/worker/engines/select.ts";
      const refused = await createEngine("tensorflow", ${JSON.stringify(asked)}).catch((thrown) => thrown);
      console.log(refused.code, refused.message, process.env.CUDA_VISIBLE_DEVICES);`;
    const args = ["--import", "tsx", "--input-type=module", "--eval", script];
    const said = execFileSync(process.execPath, args, {
      encoding: "utf8",
      env: { ...process.env, CUDA_VISIBLE_DEVICES: "5" },
    });
    expect(said).toMatch(
      /^usage TensorFlow \S+ computes on the CPU, although NVIDIA Imaginary 9000 was asked for.* 5\n$/,
    );
  });

  test("no tensor is left by steps, evaluations and new parameters, nor by the engine", async () => {
    const { memory } = loadTensorFlow();
    const { parameters, shard, evaluation } = readGolden("batch-7");
    const before = memory().numTensors;
    const engine = await createEngine("tensorflow", { gpu: "none" });
    engine.load(parameters);
    const first: ShardGradient = await engine.gradients(shard);
    const bits = first.gradient.slice();
    const afterOne = memory().numTensors;
    for (let step = 0; step < 50; step++) {
      engine.load(parameters);
      const { gradient } = await engine.gradients(shard);
      expect(Buffer.compare(Buffer.from(gradient.buffer), Buffer.from(bits.buffer))).toBe(0);
      await engine.evaluate(evaluation);
      expect(memory().numTensors).toBe(afterOne);
    }
    await engine.dispose();
    expect(memory().numTensors).toBe(before);
  });
});
