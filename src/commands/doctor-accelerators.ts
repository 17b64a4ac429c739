/** What `lockstep doctor` looks at on behalf of the engines that compute on GPUs. */

import { selfTest } from "../engine-self-test/run-self-test.ts";
import { packageFolder, WEBGPU_PACKAGES } from "../setup-gpu/node-package.ts";
import { thisPlatform, unsupportedPlatform } from "../setup-gpu/platform.ts";
import { type Binding, findBinding } from "./doctor-binding.ts";
import { type CudaNeeds, cudaNeeds } from "./doctor-cuda-needs.ts";
import type { Check, Finding } from "./doctor-finding.ts";
import { type ClaimedGpu, judgeGpus, lookAtGpus } from "./doctor-gpus.ts";
import { judgeCudaLibraries, judgeLibtensorflow, judgeTensorFlow, tensorFlowMissing } from "./doctor-tensorflow.ts";
import { judgeWebGpu, webGpuMissing } from "./doctor-webgpu.ts";

/** nvidia-smi is asked twice, one after the other, and has 10 s each time. */
const GPUS_TIMEOUT_MS = 25_000;
/** A library of 1 GB may come from a slow disk. */
const SELF_TEST_TIMEOUT_MS = 60_000;
const ENGINE_TIMEOUT_MS = SELF_TEST_TIMEOUT_MS + 10_000;

/**
 * The checks, in an order in which the first finding explains those behind it. None of them can be a problem: whatever is
 * wrong here, the wasm engine trains.
 *
 * @param environment of the commands that are asked, of the engines, and of the linker
 * @param root lockstep's folder, with its packages; undefined: where this file is
 */
export function acceleratorChecks(environment: NodeJS.ProcessEnv = process.env, root?: string): Check[] {
  const gpus = once(() => lookAtGpus(environment));
  const binding = once(() => findBinding(environment, root));
  const needs = once(async () => {
    const found = await settled(binding());
    const library = found === "broken" ? undefined : found?.libtensorflow;
    return cudaNeeds(library?.hasCuda === true ? library.version : undefined);
  });
  const tensorFlowTest = once(async () => {
    const gpu = chosen((await gpus()).gpus);
    const hasCuda = (await binding())?.libtensorflow?.hasCuda ?? false;
    return selfTest("tensorflow", {
      environment: { ...environment, CUDA_VISIBLE_DEVICES: gpu?.uuid ?? "-1" },
      timeoutMs: SELF_TEST_TIMEOUT_MS,
      gpuRequired: hasCuda && gpu !== undefined,
    });
  });
  const missingPackages = WEBGPU_PACKAGES.filter((name) => packageFolder(name, root) === undefined);
  const webGpuTest = once(() => selfTest("webgpu", { environment, timeoutMs: SELF_TEST_TIMEOUT_MS }));

  /** Both tests at the same time: each waits for disks and drivers more than it computes. */
  const startWebGpuTest = (): void => {
    if (missingPackages.length === 0) webGpuTest().catch(() => {});
  };

  const warn = { failure: "warning" } as const;
  return [
    {
      ...{ name: "GPUs", ...warn, timeoutMs: GPUS_TIMEOUT_MS },
      fix: "nvidia-smi should answer within a second; when it hangs, restart the machine",
      run: async () => judgeGpus(await gpus(), await needs()),
    },
    {
      ...{ name: "libtensorflow", ...warn, fix: "npm run setup:gpu" },
      run: async () => {
        const found = await binding();
        return found === undefined ? [] : judgeLibtensorflow(found);
      },
    },
    {
      ...{ name: "CUDA libraries", ...warn },
      run: async () => libraryFindings(await settled(binding()), await needs(), chosen((await gpus()).gpus)),
    },
    {
      ...{ name: "tensorflow", ...warn, timeoutMs: ENGINE_TIMEOUT_MS, fix: "npm run setup:gpu" },
      run: async () => {
        startWebGpuTest();
        const unsupported = unsupportedPlatform(thisPlatform());
        const found = await settled(binding());
        const gpu = chosen((await gpus()).gpus);
        if (found === "broken")
          return { status: "warning", found: "not tested: its library cannot be loaded", fix: "see libtensorflow" };
        if (found === undefined)
          return unsupported === undefined ? tensorFlowMissing(gpu) : { status: "ok", found: unsupported };
        const isMissing = libraryFindings(found, await needs(), gpu).some(({ status }) => status !== "ok");
        return judgeTensorFlow(await tensorFlowTest(), gpu, found.libtensorflow, isMissing);
      },
    },
    {
      ...{ name: "webgpu", ...warn, timeoutMs: ENGINE_TIMEOUT_MS, fix: "npm run setup:gpu -- --engine webgpu" },
      run: async () => {
        if (missingPackages.length > 0) return webGpuMissing(missingPackages, WEBGPU_PACKAGES);
        return judgeWebGpu(await webGpuTest(), (await gpus()).gpus.length > 0);
      },
    },
  ];
}

/** The GPU that is tested: one that nobody uses, as a worker would choose. */
function chosen(gpus: readonly ClaimedGpu[]): ClaimedGpu | undefined {
  return gpus.find(({ holder }) => holder === undefined) ?? gpus[0];
}

function libraryFindings(
  binding: Binding | "broken" | undefined,
  needs: CudaNeeds,
  gpu: ClaimedGpu | undefined,
): Finding[] {
  if (binding === undefined || binding === "broken") return [];
  return judgeCudaLibraries(binding, needs, gpu !== undefined);
}

/** For checks behind the one that says what is wrong. */
async function settled(binding: Promise<Binding | undefined>): Promise<Binding | "broken" | undefined> {
  return binding.catch(() => "broken" as const);
}

/** Does it when it is first asked for, and gives the same to all. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
