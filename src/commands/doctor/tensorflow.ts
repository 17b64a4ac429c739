/** What is found about the tensorflow engine: its library, CUDA's libraries, and how it computes. Pure. */

import { SELF_TEST_IMAGES, type SelfTestResult } from "../../engine-self-test/result.ts";
import type { Gpu } from "../../worker/gpus/gpu.ts";
import type { Binding } from "../../setup-gpu/installed-binding.ts";
import { DRIVER_LIBRARY, type CudaNeeds } from "./cuda-needs.ts";
import type { Finding } from "./finding.ts";
import { findLibraries } from "../../setup-gpu/library-search.ts";

/** Sets it up for NVIDIA GPUs, with all libraries. */
const SETUP_CUDA = "npm run setup:gpu -- --download cuda12";
const SETUP = "npm run setup:gpu";

export function judgeLibtensorflow({ packageName, libtensorflow }: Binding): Finding[] {
  if (libtensorflow === undefined) return [];
  const { version, hasCuda, folder } = libtensorflow;
  const found = `TensorFlow${version === undefined ? "" : ` ${version}`} ${hasCuda ? "with" : "without"} CUDA in ${folder}, used by ${packageName}`;
  return [{ status: "ok", found }];
}

/**
 * Which of CUDA's libraries are there; nothing where none is needed.
 * @param hasGpu whether there is a GPU to compute on: where there is none, nothing that is missing matters
 */
export function judgeCudaLibraries(binding: Binding, needs: CudaNeeds, hasGpu: boolean): Finding[] {
  const { libtensorflow, searched, elsewhere } = binding;
  if (libtensorflow?.hasCuda !== true) return [];
  const driver = hasGpu ? driverLibrary(searched) : [];
  const { found, missing } = findLibraries(needs.libraries, searched);
  const release = `CUDA ${needs.cuda} and cuDNN ${needs.cudnn}`;
  if (missing.length === 0) {
    const folders = new Set(found.map(({ folder }) => folder));
    const [only = ""] = folders;
    const where = folders.size === 1 ? only : `${folders.size} folders`;
    return [{ status: "ok", found: `all ${needs.libraries.length} of ${release} found, in ${where}` }, ...driver];
  }
  const some = found.length === 0 ? `none of ${release} found` : `not found, of ${release}`;
  const lacking = `${some}: ${missing.join(", ")}`;
  if (!hasGpu) return [{ status: "ok", found: `${lacking}; only machines with a GPU need them` }];
  const fix = libraryFix(missing, elsewhere);
  return [{ status: "warning", found: `${lacking}; TensorFlow computes on the CPU without`, fix }, ...driver];
}

/** The driver's library comes with the driver, but not into every container. */
function driverLibrary(searched: Binding["searched"]): Finding[] {
  if (findLibraries([DRIVER_LIBRARY], searched).missing.length === 0) return [];
  return [
    {
      status: "warning",
      name: "CUDA driver",
      found: `${DRIVER_LIBRARY} not found, although nvidia-smi finds a GPU; TensorFlow computes on the CPU without`,
      fix: "in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility; elsewhere, install NVIDIA's driver again",
    },
  ];
}

function libraryFix(missing: readonly string[], elsewhere: Binding["elsewhere"]): string {
  const unseen = findLibraries(missing, elsewhere);
  if (unseen.missing.length > 0) return SETUP_CUDA;
  const folders = [...new Set(unseen.found.map(({ folder }) => folder))].join(":");
  return `export LD_LIBRARY_PATH=${folders}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`;
}

/**
 * @param unsupported why it cannot run on this platform
 * @param gpu the one that it would compute on
 */
export function tensorFlowMissing(unsupported: string | undefined, gpu: Gpu | undefined): Finding {
  if (unsupported !== undefined) return { status: "ok", found: unsupported };
  if (gpu === undefined) return { status: "ok", found: `not set up (optional); ${SETUP} sets it up` };
  return { status: "warning", found: `not set up, although there is a GPU for it: ${gpu.name}`, fix: SETUP_CUDA };
}

/**
 * @param gpu the one that it was to compute on
 * @param reason name of the finding that says already why it does not use the GPU
 */
export function judgeTensorFlow(
  result: SelfTestResult,
  gpu: Gpu | undefined,
  libtensorflow: Binding["libtensorflow"],
  reason: string | undefined,
): Finding {
  const { ok, device = "", runtime = "TensorFlow", problem = "for no known reason" } = result;
  const isOnCpu = /^cpu\b/i.test(device);
  if (gpu !== undefined && isOnCpu) {
    const found = `${runtime} computes on the CPU, although there is a GPU for it: ${gpu.name}`;
    if (libtensorflow?.hasCuda === false) {
      return { status: "warning", found: `${found}; it is built without CUDA`, fix: SETUP_CUDA };
    }
    if (reason !== undefined) return { status: "warning", found, fix: `see ${reason}` };
    return { status: "warning", found, fix: `${SETUP} -- --check tells what TensorFlow says about that` };
  }
  if (!ok) {
    const found = `does not work: ${withoutAdvice(problem)}`;
    return { status: "warning", found, fix: failureFix(problem, gpu !== undefined) };
  }
  const where = gpu === undefined ? (isOnCpu ? "the CPU" : device) : `GPU ${gpu.index}`;
  const found = `${runtime} on ${where}: ${measured(result)}`;
  return { status: "ok", found: gpu === undefined ? found : `${found}; train with --engine tensorflow` };
}

function failureFix(problem: string, hasGpu: boolean): string {
  if (!hasGpu) return SETUP;
  if (problem.startsWith("no result within")) return `${SETUP} -- --check --self-test-timeout 1800`;
  return `${SETUP_CUDA}; or see more: ${SETUP} -- --check`;
}

/** What is wrong alone, without what the engine and its test advise: the doctor knows more about the machine. */
export function withoutAdvice(problem: string): string {
  return problem
    .replace(/^the \w+ engine cannot be loaded: /, "")
    .replace(/; a GPU that is newer [^;]*/, "")
    .replace(/[;:] run npm run setup:gpu[^;]*/, "");
}

/** How fast and how exact: "1.2 ms for 32 images, gradients agree to 6e-6". */
export function measured({ milliseconds = NaN, largestDifference = NaN }: SelfTestResult): string {
  return `${milliseconds.toFixed(1)} ms for ${SELF_TEST_IMAGES} images, gradients agree to ${largestDifference.toExponential(0)}`;
}
