import type { SelfTestResult } from "../../engine-self-test/result.ts";
import type { Finding } from "./finding.ts";
import { measured, withoutAdvice } from "./tensorflow.ts";

/** What is found about the webgpu engine. Pure. */

const SETUP_WEBGPU = "npm run setup:gpu -- --engine webgpu";

/** Drivers that compute on the processor: Mesa's, Google's and Microsoft's. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|basic render/i;

/** @param missing names of packages that are not installed */
export function webGpuMissing(missing: readonly string[], all: readonly string[]): Finding {
  if (missing.length === all.length) {
    return { status: "ok", found: `not set up (optional); ${SETUP_WEBGPU} sets it up` };
  }
  return { status: "warning", found: `half set up: ${missing.join(", ")} is not installed`, fix: SETUP_WEBGPU };
}

/** @param hasGpu whether the machine has an NVIDIA GPU */
export function judgeWebGpu(result: SelfTestResult, hasGpu: boolean): Finding {
  const { ok, device = "", runtime = "WebGPU", problem = "for no known reason" } = result;
  if (!ok) return { status: "warning", found: `does not work: ${withoutAdvice(problem)}`, fix: failureFix(problem) };
  // What follows names the driver once more.
  const [dawn = runtime] = runtime.split(/, (?=\w+: )/);
  const isSoftware = SOFTWARE.test(device);
  const found = `${dawn} on ${device}${isSoftware ? ", which is the CPU" : ""}: ${measured(result)}`;
  if (!isSoftware) return { status: "ok", found: `${found}; train with --engine webgpu` };
  if (!hasGpu) return { status: "ok", found };
  return {
    status: "warning",
    found: `${found}; it does not see the GPU that is there`,
    fix: "install the Vulkan part of NVIDIA's driver; in a container, set NVIDIA_DRIVER_CAPABILITIES=all",
  };
}

/** The engine's own advice, where it gives any. */
function failureFix(problem: string): string {
  if (problem.startsWith("no result within")) return `${SETUP_WEBGPU} --check --self-test-timeout 600`;
  return /(install the GPU's .*|install Mesa .*)$/.exec(problem)?.[1] ?? SETUP_WEBGPU;
}
