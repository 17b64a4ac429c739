import { describe, expect, test } from "vitest";
import type { PhysicalGpu } from "../../../src/worker/gpus/nvidia-smi.ts";
import { visibleGpus } from "../../../src/worker/gpus/visible-gpus.ts";

const gpu = (index: number, uuid: string, isCut = false): PhysicalGpu => ({
  ...{ index, uuid: `GPU-${uuid}`, name: "NVIDIA A100", driver: "550", memoryMiB: 40_000, isCut },
});
const GPUS = [gpu(0, "aa11"), gpu(1, "aa22"), gpu(2, "bb33")];

const seen = (variable: string | undefined, gpus = GPUS): string =>
  visibleGpus(gpus, variable)
    .map(({ index, uuid }) => `${index} ${uuid}`)
    .join(", ");

describe("CUDA_VISIBLE_DEVICES", () => {
  test.each([
    ["where it is not set leaves all", undefined, "0 GPU-aa11, 1 GPU-aa22, 2 GPU-bb33"],
    ["chooses and orders by index", "2,0", "0 GPU-bb33, 1 GPU-aa11"],
    ["chooses by UUID", "GPU-aa22, GPU-bb33", "0 GPU-aa22, 1 GPU-bb33"],
    ["takes the beginning of a UUID", "GPU-b,1", "0 GPU-bb33, 1 GPU-aa22"],
    ["ends at the beginning of several", "0,GPU-aa,2", "0 GPU-aa11"],
    ["ends at an index that is not there", "1,7,0", "0 GPU-aa22"],
    ["ends at -1", "0,-1,1", "0 GPU-aa11"],
    ["ends at a GPU that it has named", "0,GPU-aa11,1", "0 GPU-aa11"],
    ["leaves none where it is empty", "", ""],
    ["leaves none where it is no list", "NoDevFiles", ""],
    ["does not take any text for a UUID", "aa22", ""],
  ])("%s", (_, variable, left) => {
    expect(seen(variable)).toBe(left);
  });

  test("passes on instances of a GPU, which have the name and the driver of the whole", () => {
    const gpus = [gpu(0, "aa11"), { ...gpu(1, "aa22", true), name: "NVIDIA H100" }];
    expect(visibleGpus(gpus, "MIG-77f0,0,MIG-GPU-aa22/1/0")).toEqual([
      { index: 0, uuid: "MIG-77f0", name: "NVIDIA H100 MIG", driver: "550" },
      { index: 1, uuid: "GPU-aa11", name: "NVIDIA A100", driver: "550", memoryMiB: 40_000 },
      { index: 2, uuid: "MIG-GPU-aa22/1/0", name: "NVIDIA H100 MIG", driver: "550" },
    ]);
  });

  test("ends at an instance where no GPU is cut into any", () => {
    expect(seen("MIG-77f0,0")).toBe("");
  });
});
