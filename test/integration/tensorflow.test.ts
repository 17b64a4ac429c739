import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { InputSource, loadDataset } from "lockstep/data";
import { createEngine } from "lockstep/engine";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { loadTensorFlow } from "../../src/worker/engines/tensorflow/load-binding.ts";
import { resultOf, useCli } from "../support/cli.ts";
import { tensorFlowMissing } from "../support/tensorflow.ts";

/** Whole runs, and long ones, on the real TensorFlow. */

const reason = tensorFlowMissing === undefined ? "" : ` (${tensorFlowMissing})`;
const cli = useCli();
const SMALL = ["--limit-train", "4000", "--epochs", "1", "--metrics-port", "0"];

/** Memory that a process may gain between two looks without losing any: the allocator breathes. */
const BREATH_MB = 32;
/** A test run's Node.js has none of its own unless it is asked. */
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe.skipIf(tensorFlowMissing !== undefined)(`the tensorflow engine${reason}`, () => {
  it("trains, to the same weights with one worker, with two, and resumed after kill -9", async () => {
    const options = ["train", ...SMALL, "--engine", "tensorflow", "--gpus", "none", "--json"];
    const one = await cli.run([...options, "--workers", "1"]);
    expect(one.stderr).toMatch(/Accuracy|Epoch \[1\/1\] done/);
    const expected = resultOf(one);
    expect(expected).toMatchObject({ engine: "tensorflow", workers: 1, workersLost: 0, samples: 4000 });
    expect(expected.testAccuracy).toBeGreaterThan(0.85);
    const two = resultOf(await cli.run([...options, "--workers", "2"]));
    expect(two).toMatchObject({ workers: 2, weightsSha256: expected.weightsSha256 });
    const resumed = ["--run-dir", "again", "--checkpoint-every", "10"];
    const started = cli.start([...options, "--workers", "2", "--log-every", "5", ...resumed]);
    await started.sees(/Step \[20\/63\]/);
    started.kill("SIGKILL");
    await started.ended();
    const again = resultOf(await cli.run(["train", "--run-dir", "again", "--resume", "--metrics-port", "0", "--json"]));
    expect(again.weightsSha256).toBe(expected.weightsSha256);
  });

  it("comes close to the wasm engine over a whole epoch", async () => {
    const run = async (engine: string): Promise<Record<string, unknown>> => {
      const options = ["--engine", engine, "--workers", "1", "--run-dir", engine, "--json"];
      return resultOf(await cli.run(["train", ...SMALL, ...options]));
    };
    const [wasm, tensorflow] = [await run("wasm"), await run("tensorflow")];
    expect(tensorflow.weightsSha256).not.toBe(wasm.weightsSha256);
    expect(Math.abs(Number(tensorflow.trainLoss) - Number(wasm.trainLoss))).toBeLessThan(0.01);
    expect(Math.abs(Number(tensorflow.testErrors) - Number(wasm.testErrors))).toBeLessThan(100);
    const evaluated = ["eval", "--checkpoint", "tensorflow/checkpoints/latest", "--json"];
    const [byWasm, byTensorFlow] = [
      resultOf(await cli.run([...evaluated, "--engine", "wasm"])),
      resultOf(await cli.run([...evaluated, "--engine", "tensorflow", "--gpu", "none"])),
    ];
    expect(byTensorFlow.testErrors).toBe(tensorflow.testErrors);
    expect(Math.abs(Number(byWasm.testErrors) - Number(byTensorFlow.testErrors))).toBeLessThanOrEqual(2);
  });

  it("works beside a wasm worker in one run, which says once that they differ", async () => {
    const coordinator = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", ...SMALL, "--min-workers", "2"]);
    const [, address] = await coordinator.sees(/Listening on (tcp:\/\/127\.0\.0\.1:\d+)/);
    const connect = ["worker", "--connect", address!];
    const workers = [
      cli.start([...connect, "--engine", "tensorflow", "--gpu", "none"]),
      cli.start([...connect, "--engine", "wasm"]),
    ];
    const ended = await coordinator.ended();
    expect(ended.code).toBe(0);
    for (const worker of workers) expect((await worker.ended()).code).toBe(0);
    expect(ended.stderr.match(/engines are mixed \(/g)).toHaveLength(1);
    expect(ended.stdout).toMatch(/Accuracy of the network on the 10000 test images: (8[5-9]|9\d)\./);
  });

  it("keeps its memory flat over 10,000 steps", { timeout: 300_000 }, async () => {
    const { train } = await loadDataset();
    const count = 2;
    const shard = { images: new Float32Array(count * IMAGE_SIZE), labels: new Uint8Array(count), globalCount: count };
    new InputSource(train).gatherRange(0, count, shard.images, shard.labels);
    const parameters = initialState(1).subarray(0, PARAMETER_COUNT);
    const engine = await createEngine("tensorflow", { gpu: "none" });
    /** On a busy machine garbage waits longer for its collector, and V8's heap grows meanwhile: that is no leak. */
    const steps = async (steps: number): Promise<{ tensors: number; heapMB: number; restMB: number }> => {
      for (let step = 0; step < steps; step++) {
        engine.load(parameters);
        await engine.gradients(shard);
      }
      collectGarbage();
      const { rss, heapTotal, heapUsed } = process.memoryUsage();
      return { tensors: loadTensorFlow().memory().numTensors, heapMB: heapUsed / 1e6, restMB: (rss - heapTotal) / 1e6 };
    };
    const warm = await steps(1_000);
    const end = await steps(9_000);
    await engine.dispose();
    expect(end.tensors).toBe(warm.tensors);
    expect(end.heapMB - warm.heapMB).toBeLessThan(BREATH_MB);
    expect(end.restMB - warm.restMB).toBeLessThan(BREATH_MB);
  });
});
