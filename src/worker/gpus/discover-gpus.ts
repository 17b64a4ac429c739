import { execFile } from "node:child_process";
import { messageOf, systemCode } from "../../shared/errors.ts";
import type { FoundGpus } from "./gpu.ts";
import { isUnknownField, NVIDIA_SMI_QUERIES, parseNvidiaSmi } from "./nvidia-smi.ts";
import { visibleGpus } from "./visible-gpus.ts";

/** Which NVIDIA GPUs this machine has, as nvidia-smi tells. */

/** A driver that starts first, or waits for a GPU that has gone bad, takes seconds. */
const TIMEOUT_MS = 10_000;

/** Found through PATH; beside it where Windows and its subsystem for Linux keep it. */
const PROGRAMS = [
  "nvidia-smi",
  "/usr/lib/wsl/lib/nvidia-smi",
  "C:\\Windows\\System32\\nvidia-smi.exe",
  "C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvidia-smi.exe",
];

/**
 * The GPUs that may be used: those of nvidia-smi that CUDA_VISIBLE_DEVICES leaves. Never throws: where nothing is found
 * there is a reason.
 */
export async function discoverGpus(environment: NodeJS.ProcessEnv = process.env): Promise<FoundGpus> {
  const answer = await askNvidiaSmi(environment);
  if ("reason" in answer) return { gpus: [], reason: answer.reason };
  try {
    const physical = parseNvidiaSmi(answer.text);
    const variable = environment.CUDA_VISIBLE_DEVICES;
    const gpus = visibleGpus(physical, variable);
    if (gpus.length > 0) return { gpus };
    if (physical.length === 0) return { gpus, reason: "nvidia-smi lists no GPU" };
    if (variable === undefined) return { gpus, reason: CUT };
    return { gpus, reason: `CUDA_VISIBLE_DEVICES is "${variable}", which leaves none of ${physical.length}` };
  } catch (thrown) {
    return { gpus: [], reason: messageOf(thrown) };
  }
}

const CUT = "all are cut into instances (MIG): nvidia-smi -L lists these, and CUDA_VISIBLE_DEVICES may name one";

type Answer = { readonly text: string } | { readonly reason: string };

async function askNvidiaSmi(environment: NodeJS.ProcessEnv): Promise<Answer> {
  for (const program of PROGRAMS) {
    for (const query of NVIDIA_SMI_QUERIES) {
      const answer = await run(program, query, environment);
      if (answer === undefined) break;
      if ("text" in answer || !isUnknownField(answer.reason)) return answer;
    }
  }
  return { reason: "nvidia-smi is not installed" };
}

/** Undefined where there is no such program. */
function run(program: string, query: readonly string[], environment: NodeJS.ProcessEnv): Promise<Answer | undefined> {
  const options = { timeout: TIMEOUT_MS, killSignal: "SIGKILL", env: environment, windowsHide: true } as const;
  return new Promise((resolve) => {
    execFile(program, query, options, (error, stdout, stderr) => {
      if (error === null) resolve({ text: stdout });
      else if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) resolve(undefined);
      else if (error.killed === true) resolve({ reason: `nvidia-smi did not answer within ${TIMEOUT_MS / 1000} s` });
      else
        resolve({ reason: `nvidia-smi failed: ${firstLine(stderr) ?? firstLine(stdout) ?? firstLine(error.message)}` });
    });
  });
}

function firstLine(text: string): string | undefined {
  const line = text.split(/\r?\n/).find((each) => each.trim() !== "");
  return line?.trim().slice(0, 200);
}
