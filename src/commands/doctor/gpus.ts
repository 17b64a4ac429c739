/** The GPUs of this machine: which may be used, who uses them, and whether their driver is good enough. */

import { existsSync } from "node:fs";
import { discoverGpus } from "../../worker/gpus/discover-gpus.ts";
import { gpuHolder, type Holder } from "../../worker/gpus/gpu-claim.ts";
import type { FoundGpus, Gpu } from "../../worker/gpus/gpu.ts";
import { runCommand } from "../../workshop/run-command.ts";
import { compareVersions, type CudaNeeds } from "./cuda-needs.ts";
import type { Finding } from "./finding.ts";

export interface ClaimedGpu extends Gpu {
  /** Who computes on it; "unknown" when that does not say who it is. */
  readonly holder?: Holder | "unknown";
}

export interface GpuFacts {
  /** Those that may be used. */
  readonly gpus: readonly ClaimedGpu[];
  /** Those of the machine, whatever CUDA_VISIBLE_DEVICES says. */
  readonly all: FoundGpus;
  /** Of CUDA_VISIBLE_DEVICES. */
  readonly variable: string | undefined;
  /** The newest release of CUDA that the driver runs: "12.4". */
  readonly driverCuda: string | undefined;
  /** Whether the driver has made a device for programs, as it does for containers also. */
  readonly hasDevice: boolean;
}

const NVIDIA_SMI_TIMEOUT_MS = 10_000;

/** Looks at the GPUs and leaves them alone. @param device what the driver makes for programs */
export async function lookAtGpus(environment: NodeJS.ProcessEnv, device: string): Promise<GpuFacts> {
  const { CUDA_VISIBLE_DEVICES: variable, ...unhidden } = environment;
  const [all, visible] = await Promise.all([
    discoverGpus(unhidden),
    variable === undefined ? undefined : discoverGpus(environment),
  ]);
  const [driverCuda, gpus] = await Promise.all([
    all.gpus.length === 0 ? undefined : askForCuda(environment),
    Promise.all((visible ?? all).gpus.map(withHolder)),
  ]);
  return { gpus, all, variable, driverCuda, hasDevice: existsSync(device) };
}

async function withHolder(gpu: Gpu): Promise<ClaimedGpu> {
  const holder = await gpuHolder(gpu.uuid);
  return holder === undefined ? gpu : { ...gpu, holder };
}

async function askForCuda(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const options = { environment, timeoutMs: NVIDIA_SMI_TIMEOUT_MS };
  const end = await runCommand("nvidia-smi", [], options).catch(() => undefined);
  return parseDriverCuda(end?.stdout ?? "");
}

/** From the first lines of nvidia-smi: "CUDA Version: 12.4", or "CUDA UMD Version: 13.3" from driver 600 or so on. */
function parseDriverCuda(text: string): string | undefined {
  return /\bCUDA(?: UMD)? Version\s*:\s*(\d+\.\d+)/.exec(text)?.[1];
}

const DRIVERS = "https://www.nvidia.com/drivers";

/**
 * A line about driver and choice, one about each GPU, and what TensorFlow lacks for them.
 * @param needs of the TensorFlow that is set up, or would be
 */
export function judgeGpus(facts: GpuFacts, needs: CudaNeeds): Finding[] {
  const { gpus, all } = facts;
  if (all.gpus.length === 0) return [noGpu(all.reason ?? "for no known reason", facts.hasDevice)];
  const driver = all.gpus.find((gpu) => gpu.driver !== undefined)?.driver;
  return [choice(facts, driver, needs), ...gpus.map(aboutGpu), ...missingCode(gpus, needs)];
}

function noGpu(reason: string, hasDevice: boolean): Finding {
  const found = `none found (${reason})`;
  if (reason.startsWith("nvidia-smi is not installed")) {
    if (!hasDevice) return { status: "ok", found };
    return {
      status: "warning",
      found: `unknown: there is an NVIDIA driver (/dev/nvidiactl), but ${reason}, which lockstep asks for the GPUs`,
      fix: "in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility; elsewhere, install the package of the driver that has nvidia-smi",
    };
  }
  if (reason.startsWith("nvidia-smi lists no GPU")) return { status: "ok", found };
  const fix = `run nvidia-smi yourself; when it fails too, restart the machine or install its driver again: ${DRIVERS}`;
  return { status: "warning", found, fix };
}

/** What hides all GPUs on purpose. */
const HIDDEN = /^\s*(|-1|none|NoDevFiles)\s*$/;

function choice({ gpus, all, variable, driverCuda }: GpuFacts, driver: string | undefined, needs: CudaNeeds): Finding {
  const count = all.gpus.length;
  const cuda = driverCuda === undefined ? "" : ` for CUDA up to ${driverCuda}`;
  const about = `driver ${driver ?? "of unknown version"}${cuda}`;
  if (gpus.length === 0) {
    const found = `none of ${count} may be used: CUDA_VISIBLE_DEVICES is "${variable}"; ${about}`;
    const fix = "unset CUDA_VISIBLE_DEVICES, or set it to numbers that nvidia-smi -L shows";
    return HIDDEN.test(variable ?? "") ? { status: "ok", found } : { status: "warning", found, fix };
  }
  const chosen =
    variable === undefined
      ? `${count} found`
      : `${gpus.length} of ${count} chosen by CUDA_VISIBLE_DEVICES="${variable}"`;
  const found = `${chosen}, ${about}`;
  if (!isDriverTooOld(all.gpus, needs)) return { status: "ok", found };
  return {
    status: "warning",
    found: `${found}, which is too old for TensorFlow with CUDA ${needs.cuda}`,
    fix: `install driver ${needs.oldestDriver} or later: ${DRIVERS}`,
  };
}

/** Whether TensorFlow will not find the GPUs, since their driver does not run its release of CUDA. */
export function isDriverTooOld(gpus: readonly Gpu[], { oldestDriver }: CudaNeeds): boolean {
  return gpus.some(({ driver }) => driver !== undefined && compareVersions(driver, oldestDriver) < 0);
}

function aboutGpu({ index, name, memoryMiB, computeCapability, holder }: ClaimedGpu): Finding {
  const parts = [
    name,
    ...(memoryMiB === undefined ? [] : [`${(memoryMiB / 1024).toFixed(1)} GiB`]),
    ...(computeCapability === undefined ? [] : [`compute capability ${computeCapability}`]),
    holderText(holder),
  ];
  return { status: "ok", name: `GPU ${index}`, found: parts.join(", ") };
}

/** A warning about GPUs that are younger than TensorFlow. */
function missingCode(gpus: readonly Gpu[], { cuda, newestGeneration }: CudaNeeds): Finding[] {
  const younger = gpus
    .map(({ computeCapability }) => computeCapability ?? "0")
    .filter((capability) => Number.parseInt(capability, 10) > newestGeneration);
  if (younger.length === 0) return [];
  const capabilities = [...new Set(younger)].join(", ");
  const keep =
    "export CUDA_CACHE_MAXSIZE=4294967296, and CUDA_CACHE_PATH to a folder that stays, so that it happens once";
  return [
    {
      status: "warning",
      name: "GPU code",
      found: `TensorFlow with CUDA ${cuda} has none for compute capability ${capabilities}: the first step compiles for up to 30 minutes`,
      fix: cuda === 11 ? `npm run setup:gpu -- --download cuda12; or ${keep}` : keep,
    },
  ];
}

function holderText(holder: ClaimedGpu["holder"]): string {
  if (holder === undefined) return "no lockstep uses it";
  if (holder === "unknown") return "in use by another process, which does not say who it is";
  return `in use by ${holder.what}, process ${holder.pid}, since ${holder.since}`;
}
