import { expect, test } from "vitest";
import { parseNvidiaSmi } from "../../../src/worker/gpus/nvidia-smi.ts";

const H100 = "0, GPU-5d0c1f6e-1111-2222-3333-444455556666, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 9.0, Disabled";

test("every line is a GPU", () => {
  const answer = `${H100}\r\n3, GPU-0a1b, Tesla T4, 550.54.15, 15360, 7.5, Enabled\r\n\r\n`;
  expect(parseNvidiaSmi(answer)).toEqual([
    {
      ...{ index: 0, uuid: "GPU-5d0c1f6e-1111-2222-3333-444455556666", name: "NVIDIA H100 80GB HBM3" },
      ...{ driver: "550.54.15", memoryMiB: 81_559, computeCapability: "9.0", isCut: false },
    },
    {
      ...{ index: 3, uuid: "GPU-0a1b", name: "Tesla T4" },
      ...{ driver: "550.54.15", memoryMiB: 15_360, computeCapability: "7.5", isCut: true },
    },
  ]);
  expect(parseNvidiaSmi("\n")).toEqual([]);
});

test("what nvidia-smi does not know is left out", () => {
  expect(parseNvidiaSmi("0, GPU-0a1b, NVIDIA GeForce GTX 950, [N/A], [Not Supported], [N/A], [N/A]")).toEqual([
    { index: 0, uuid: "GPU-0a1b", name: "NVIDIA GeForce GTX 950", isCut: false },
  ]);
});

test("a GPU without a UUID, which CUDA could not be told, is passed over", () => {
  const lost = "0, [GPU is lost], [GPU is lost], 550.54.15, [GPU is lost], [N/A], [N/A]";
  expect(parseNvidiaSmi(`${lost}\n${H100}`).map(({ uuid }) => uuid)).toEqual([
    "GPU-5d0c1f6e-1111-2222-3333-444455556666",
  ]);
});

test.each([
  "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
  H100.replace("0, GPU", "zero, GPU"),
  H100.replace("GPU-5d", "5d"),
  H100.replace("81559", "81559 MiB"),
  H100.replace("9.0", "nine"),
  H100.replace(", Disabled", ""),
  `${H100}, more`,
])("%s is no such answer", (line) => {
  expect(() => parseNvidiaSmi(`${H100}\n${line}`)).toThrow(`nvidia-smi printed "${line}", expected: index, uuid, name`);
});
