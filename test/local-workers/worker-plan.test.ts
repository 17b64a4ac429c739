import { describe, expect, test } from "vitest";
import { planWorkers, wantsGpus, type WorkerPlan } from "../../src/local-workers/worker-plan.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import type { Gpu } from "../../src/worker/gpus/gpu.ts";

const gpus = (count: number): Gpu[] =>
  Array.from({ length: count }, (_, index) => ({ index, uuid: `GPU-${index}`, name: "H100" }));

function plan(options: Partial<TrainConfig>, gpuCount = 0, cores = 4): WorkerPlan {
  const reason = "nvidia-smi is not installed";
  const found = gpuCount === 0 ? { gpus: [], reason } : { gpus: gpus(gpuCount) };
  return planWorkers(configFrom("train", options), cores, found);
}

/** What the workers compute on. */
const places = ({ gpus: places }: WorkerPlan): (number | string | undefined)[] =>
  places.map((gpu) => (typeof gpu === "object" ? gpu.index : gpu));

test("GPUs are looked for where TensorFlow may use them", () => {
  const wants = (options: Partial<TrainConfig>): boolean => wantsGpus(configFrom("train", options));
  expect([wants({ engine: "tensorflow" }), wants({ gpus: [0] }), wants({ gpus: "all" })]).toEqual([true, true, true]);
  expect([wants({}), wants({ engine: "webgpu" }), wants({ gpus: "none", engine: "tensorflow" })]).toEqual([
    ...[false, false, false],
  ]);
});

describe("without GPUs", () => {
  test("there is a worker for each core, but no more than shards in a batch", () => {
    expect(plan({ batchSize: 256 })).toEqual({
      ...{ engine: "auto", isolation: "thread", gpus: [undefined, undefined, undefined, undefined] },
    });
    expect(plan({ batchSize: 64 }).gpus).toHaveLength(2);
    expect(plan({ batchSize: 64, minWorkers: 5 }).gpus).toHaveLength(5);
    expect(plan({ workers: 9 }).gpus).toHaveLength(9);
  });

  test("engine webgpu gets one worker: all would compute on the same GPU", () => {
    expect(plan({ engine: "webgpu", batchSize: 256 })).toEqual({
      ...{ engine: "webgpu", isolation: "process", gpus: [undefined] },
    });
    expect(plan({ engine: "webgpu", workers: 2 }).gpus).toHaveLength(2);
  });

  test("no worker of TensorFlow may take one, and that there is none is said unless none was wanted", () => {
    expect(plan({ engine: "tensorflow" })).toEqual({
      ...{ engine: "tensorflow", isolation: "process", gpus: ["none", "none"] },
      warning: "no GPU to use (nvidia-smi is not installed): the tensorflow engine computes on the CPU",
    });
    const unasked = plan({ engine: "tensorflow", gpus: "none" }, 2);
    expect(places(unasked)).toEqual(["none", "none"]);
    expect(unasked).not.toHaveProperty("warning");
    expect(places(plan({ engine: "webgpu", gpus: "none", workers: 1 }))).toEqual(["none"]);
    expect(places(plan({ engine: "webgpu", workers: 1 }))).toEqual([undefined]);
  });

  test("those that were asked for are missing", () => {
    expect(() => plan({ gpus: "all" })).toThrow("--gpus all: no GPU to use (nvidia-smi is not installed)");
    expect(() => plan({ gpus: [1, 2] }, 2)).toThrow(
      "--gpus 1,2: GPU 2 is not there; GPUs to use: GPU 0 (H100, GPU-0), GPU 1 (H100, GPU-1)",
    );
    expect(() => plan({ gpus: [0] })).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("with GPUs", () => {
  test("there is a worker on each, whatever the cores", () => {
    const all = plan({ engine: "tensorflow", batchSize: 256 }, 8, 1);
    expect(all).toMatchObject({ engine: "tensorflow", isolation: "process" });
    expect(places(all)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(all).not.toHaveProperty("warning");
    expect(places(plan({ gpus: [2, 0] }, 4))).toEqual([2, 0]);
    expect(places(plan({ gpus: "all", workers: 1 }, 4))).toEqual([0]);
  });

  test("there are no more than a step has shards, and it is said what would use them all", () => {
    const some = plan({ gpus: "all", batchSize: 100 }, 8);
    expect(places(some)).toEqual([0, 1, 2, 3]);
    expect(some.warning).toBe("4 of 8 GPUs are used: a step of 100 samples has 4 shards; use --batch-size 256 or more");
    expect(plan({ gpus: "all", batchSize: 256 }, 8)).not.toHaveProperty("warning");
    const accumulated = plan({ gpus: "all", batchSize: 50, accumulate: 2 }, 8);
    expect(places(accumulated)).toEqual([0, 1, 2, 3]);
    expect(accumulated.warning).toMatch(/^4 of 8 .* a step of 100 samples .* use --batch-size 128 or more$/);
    // Whoever says how many workers there are to be means it.
    expect(plan({ gpus: "all", workers: 1 }, 8)).not.toHaveProperty("warning");
    expect(places(plan({ gpus: "all", batchSize: 32, minWorkers: 2 }, 4))).toEqual([0, 1]);
  });

  test("several workers on one must be allowed, and are spread evenly", () => {
    expect(() => plan({ gpus: "all", workers: 5 }, 2)).toThrow(
      "--workers 5 is more than one for each of 2 GPUs; allowed: at most 2, or more with --share-gpu",
    );
    expect(() => plan({ gpus: "all", minWorkers: 3 }, 2)).toThrow(/^--min-workers 3 can never be reached/);
    expect(places(plan({ gpus: "all", workers: 5, shareGpu: true }, 2))).toEqual([0, 1, 0, 1, 0]);
    expect(places(plan({ gpus: "all", minWorkers: 3, shareGpu: true }, 2))).toEqual([0, 1, 0]);
  });
});
