import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { discoverGpus } from "../../../src/worker/gpus/discover-gpus.ts";
import { fakeNvidiaSmi, gpuLine } from "../../support/fake-nvidia-smi.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-gpus-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const TWO = [gpuLine(0, "GPU-aa"), gpuLine(1, "GPU-bb")];

test("the GPUs are those that nvidia-smi lists and CUDA_VISIBLE_DEVICES leaves", async () => {
  const PATH = fakeNvidiaSmi(folder, TWO);
  expect((await discoverGpus({ PATH })).gpus.map(({ uuid }) => uuid)).toEqual(["GPU-aa", "GPU-bb"]);
  expect(await discoverGpus({ PATH, CUDA_VISIBLE_DEVICES: "1" })).toEqual({
    gpus: [expect.objectContaining({ index: 0, uuid: "GPU-bb", memoryMiB: 81_559 })],
  });
});

test("where there are none there is a reason", async () => {
  const reasonOf = async (environment: NodeJS.ProcessEnv): Promise<string | undefined> => {
    const found = await discoverGpus(environment);
    expect(found.gpus).toEqual([]);
    return found.reason;
  };
  expect(await reasonOf({ PATH: folder })).toBe("nvidia-smi is not installed");
  expect(await reasonOf({ PATH: fakeNvidiaSmi(folder, TWO), CUDA_VISIBLE_DEVICES: "" })).toBe(
    'CUDA_VISIBLE_DEVICES is "", which leaves none of 2',
  );
  expect(await reasonOf({ PATH: fakeNvidiaSmi(folder, []) })).toBe("nvidia-smi lists no GPU");
  // It complains on its standard output.
  const complaint = ["NVIDIA-SMI has failed because it couldn't communicate with the driver.", "Make sure that ..."];
  expect(await reasonOf({ PATH: fakeNvidiaSmi(folder, complaint, 9) })).toBe(`nvidia-smi failed: ${complaint[0]}`);
  expect(await reasonOf({ PATH: fakeNvidiaSmi(folder, ["index uuid"]) })).toMatch(/^nvidia-smi printed "index uuid"/);
});

test("a program that may not be started is told apart from one that is not there", async () => {
  fakeNvidiaSmi(folder, TWO);
  const bin = join(folder, "fake-nvidia-smi");
  chmodSync(join(bin, "nvidia-smi"), 0o644);
  expect((await discoverGpus({ PATH: bin })).reason).toMatch(/^nvidia-smi failed: .*EACCES/);
});

test("drivers that do not know all that is asked for are asked for less", async () => {
  const PATH = fakeNvidiaSmi(folder, []);
  const script = [
    "#!/bin/sh",
    'case "$1" in *compute_cap*) echo "Field \\"compute_cap\\" is not a valid field to query."; exit 2;; esac',
    "echo '0, GPU-aa, Tesla V100-SXM2-16GB, 470.182.03, 16160, [N/A]'",
  ];
  writeFileSync(join(folder, "fake-nvidia-smi", "nvidia-smi"), script.join("\n"));
  const gpu = { index: 0, uuid: "GPU-aa", name: "Tesla V100-SXM2-16GB", driver: "470.182.03", memoryMiB: 16_160 };
  expect(await discoverGpus({ PATH })).toEqual({ gpus: [gpu] });
});

test("one that is cut into instances is not offered whole", async () => {
  const cut = gpuLine(0, "GPU-aa").replace("Disabled", "Enabled");
  const both = { PATH: fakeNvidiaSmi(folder, [cut, gpuLine(1, "GPU-bb")]) };
  expect((await discoverGpus(both)).gpus.map(({ uuid }) => uuid)).toEqual(["GPU-bb"]);
  const found = await discoverGpus({ PATH: fakeNvidiaSmi(folder, [cut]) });
  expect(found.gpus).toEqual([]);
  expect(found.reason).toMatch(/^all are cut into instances \(MIG\): .* CUDA_VISIBLE_DEVICES may name one$/);
});
