/** What `lockstep doctor` looks at on behalf of the engines that compute on GPUs. */

import type { SelfTestResult } from "../../engine-self-test/result.ts";
import { selfTest } from "../../engine-self-test/run-self-test.ts";
import { packageFolder, WEBGPU_PACKAGES } from "../../setup-gpu/node-package.ts";
import { thisPlatform, unsupportedPlatform } from "../../setup-gpu/platform.ts";
import { type Binding, findBinding } from "../../setup-gpu/installed-binding.ts";
import { cudaNeeds } from "./cuda-needs.ts";
import type { Check } from "./finding.ts";
import { isDriverTooOld, judgeGpus, lookAtGpus } from "./gpus.ts";
import { judgeCudaLibraries, judgeLibtensorflow, judgeTensorFlow, tensorFlowMissing } from "./tensorflow.ts";
import { judgeWebGpu, webGpuMissing } from "./webgpu.ts";

/** nvidia-smi is asked twice, one after the other, and has 10 s each time. Then the GPUs' holders are asked. */
const GPUS_TIMEOUT_MS = 25_000;
/** A library of 1 GB may come from a slow disk. */
const SELF_TEST_TIMEOUT_MS = 60_000;
const ENGINE_TIMEOUT_MS = SELF_TEST_TIMEOUT_MS + 10_000;

const CUDA_LIBRARIES = "CUDA libraries";

/** What tests put in place of this machine. */
export interface Surroundings {
  /** Of the commands that are asked, of the engines, and of the linker. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Lockstep's folder, with its packages. */
  readonly root?: string;
  /** What NVIDIA's driver makes for programs. */
  readonly device?: string;
  readonly test?: typeof selfTest;
}

/**
 * The checks, in an order in which the first finding explains those behind it. None of them can be a problem: whatever is
 * wrong here, the wasm engine trains.
 */
export function acceleratorChecks(surroundings: Surroundings = {}): Check[] {
  const { environment = process.env, root, device = "/dev/nvidiactl", test = selfTest } = surroundings;
  const gpus = once(() => lookAtGpus(environment, device));
  const binding = once(() => findBinding(environment, root));
  const needs = once(async () => {
    const found = await settled(binding());
    const library = found === "broken" ? undefined : found?.libtensorflow;
    return cudaNeeds(library?.hasCuda === true ? library.version : undefined);
  });
  /** The GPU that is tested: one that nobody uses, as a worker would choose. */
  const chosen = once(async () => {
    const { gpus: visible } = await gpus();
    return visible.find(({ holder }) => holder === undefined) ?? visible[0];
  });
  const libraries = once(async () => {
    const found = await settled(binding());
    if (found === undefined || found === "broken") return [];
    return judgeCudaLibraries(found, await needs(), (await chosen()) !== undefined);
  });
  /** The name of the finding that says already why TensorFlow does not use the GPU. */
  const excuse = async (): Promise<string | undefined> => {
    if (isDriverTooOld((await gpus()).gpus, await needs())) return "GPUs";
    const bad = (await libraries()).find(({ status }) => status !== "ok");
    return bad === undefined ? undefined : (bad.name ?? CUDA_LIBRARIES);
  };
  const tensorFlowTest = async ({ libtensorflow }: Binding): Promise<SelfTestResult> => {
    const gpu = await chosen();
    return test("tensorflow", {
      environment: { ...environment, CUDA_VISIBLE_DEVICES: gpu?.uuid ?? "-1" },
      timeoutMs: SELF_TEST_TIMEOUT_MS,
      gpuRequired: libtensorflow?.hasCuda === true && gpu !== undefined,
    });
  };
  const missingPackages = WEBGPU_PACKAGES.filter((name) => packageFolder(name, root) === undefined);
  const webGpuTest = once(() => test("webgpu", { environment, timeoutMs: SELF_TEST_TIMEOUT_MS }));

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
      ...{ name: CUDA_LIBRARIES, ...warn },
      run: libraries,
    },
    {
      ...{ name: "tensorflow", ...warn, timeoutMs: ENGINE_TIMEOUT_MS, fix: "npm run setup:gpu" },
      run: async () => {
        startWebGpuTest();
        const found = await settled(binding());
        if (found === "broken") {
          return { status: "warning", found: "not tested: its library cannot be loaded", fix: "see libtensorflow" };
        }
        if (found === undefined) return tensorFlowMissing(unsupportedPlatform(thisPlatform()), await chosen());
        return judgeTensorFlow(await tensorFlowTest(found), await chosen(), found.libtensorflow, await excuse());
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

/** For checks behind the one that says what is wrong. */
async function settled(binding: Promise<Binding | undefined>): Promise<Binding | "broken" | undefined> {
  return binding.catch(() => "broken" as const);
}

/** Does it when it is first asked for, and gives the same to all. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
