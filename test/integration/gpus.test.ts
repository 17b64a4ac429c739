import { describe, expect, it } from "vitest";
import { claimGpu } from "../../src/worker/gpus/gpu-claim.ts";
import { useCli } from "../support/cli.ts";
import { fakeNvidiaSmi, gpuLine } from "../support/fake-nvidia-smi.ts";
import { tensorFlowMissing } from "../support/tensorflow.ts";

/** GPUs as the commands see them, on a machine that has none: nvidia-smi is a script that tells of some. */

const cli = useCli();
/** Of this test run alone: claims hold for the whole machine. */
const uuid = (index: number): string => `GPU-${process.pid.toString(16)}-${index}`;
const twoGpus = (): Record<string, string> => ({
  PATH: fakeNvidiaSmi(cli.folder(), [gpuLine(0, uuid(0)), gpuLine(1, uuid(1))]),
  CUDA_VISIBLE_DEVICES: "0,1",
});

describe("GPUs", () => {
  it.each([
    ["worker --gpu 2", /^lockstep: --gpu 2 is not there; GPUs to use: GPU 0 \(NVIDIA H100 80GB HBM3, GPU-.*\), GPU 1 /],
    ["worker --gpu 0 --engine wasm", /^lockstep: --gpu 0 and --engine wasm contradict each other: /],
    ["train --gpus 0,2", /^lockstep: --gpus 0,2: GPU 2 is not there; GPUs to use: GPU 0 /],
    ["train --gpus all --workers 3", /^lockstep: --workers 3 is more than one for each of 2 GPUs; allowed: /],
    ["train --engine tensorflow --isolation thread", /^lockstep: --isolation thread is not possible with the tensor/],
  ])("%s is bad usage", async (command, message) => {
    const ended = await cli.run(command.split(" "), twoGpus());
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(message);
  });

  it("that a worker asks for must be there", async () => {
    const ended = await cli.run(["worker", "--gpu", "0"], { ...twoGpus(), CUDA_VISIBLE_DEVICES: "" });
    expect(ended.stderr).toBe(
      'lockstep: --gpu 0 is not there; no GPU to use (CUDA_VISIBLE_DEVICES is "", which leaves none of 2)\n',
    );
    expect(ended.code).toBe(2);
  });

  it.runIf(process.platform === "linux")("that another process has are not taken", async () => {
    const claims = [await claimGpu(uuid(0), "lockstep worker for tcp://h:1"), await claimGpu(uuid(1), "somebody")];
    const environment = twoGpus();
    const [worker, any, train] = await Promise.all([
      cli.run(["worker", "--gpu", "0"], environment),
      cli.run(["worker", "--engine", "tensorflow"], environment),
      cli.run(["train", "--gpus", "0", "--metrics-port", "0"], environment),
    ]);
    for (const claim of claims) claim?.release();
    const first = `GPU 0 (NVIDIA H100 80GB HBM3, ${uuid(0)}) is in use by lockstep worker for tcp://h:1, process ${process.pid}, since `;
    for (const ended of [worker, any, train]) expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(worker.stderr).toContain(`lockstep: ${first}`);
    expect(worker.stderr).toMatch(/; choose another with --gpu, or allow it with --share-gpu\n$/);
    expect(any.stderr).toContain(first);
    expect(any.stderr).toContain(`${uuid(1)}) is in use by somebody`);
    expect(train.stderr).toMatch(/; choose others with --gpus, or allow it with --share-gpu\n$/);
  });
});

const reason = tensorFlowMissing === undefined ? "" : ` (${tensorFlowMissing})`;
describe.skipIf(tensorFlowMissing !== undefined)(`GPUs and the real TensorFlow${reason}`, () => {
  it("that it cannot compute on end the worker", async () => {
    const ended = await cli.run(["worker", "--gpu", "0"], twoGpus());
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/^lockstep: TensorFlow .* NVIDIA H100 80GB HBM3 was asked for/m);
  });

  it("that are not there leave the CPU, which is said", async () => {
    const environment = { ...twoGpus(), CUDA_VISIBLE_DEVICES: "-1" };
    const options = ["--limit-train", "640", "--epochs", "1", "--metrics-port", "0", "--run-dir", "run"];
    const ended = await cli.run(["train", "--engine", "tensorflow", ...options], environment);
    expect(ended.stderr).toBe(
      'warning: no GPU to use (CUDA_VISIBLE_DEVICES is "-1", which leaves none of 2): ' +
        "the tensorflow engine computes on the CPU\n",
    );
    expect(ended.code).toBe(0);
    const checkpoint = ["--checkpoint", "run/checkpoints/latest"];
    const evaluated = await cli.run(["eval", "--engine", "tensorflow", ...checkpoint], environment);
    expect(evaluated.stderr).toMatch(/^lockstep eval: no GPU to use .*: computing on the CPU\n$/);
    expect(evaluated.code).toBe(0);
  });
});
