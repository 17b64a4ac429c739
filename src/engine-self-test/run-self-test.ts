import { fileURLToPath } from "node:url";
import type { EngineName } from "../worker/engines/engine.ts";
import { runCommand } from "../workshop/run-command.ts";
import { resultOfProcess, type SelfTestResult } from "./result.ts";

export interface SelfTestOptions {
  /** Instead of this process's environment: `CUDA_VISIBLE_DEVICES` in it decides which GPU is tested. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Default: 60 s. GPUs newer than the libraries that they run with may compile for half an hour. */
  readonly timeoutMs?: number;
  /** Whether computing on the CPU is a failure. Default: false. */
  readonly gpuRequired?: boolean;
}

const TIMEOUT_MS = 60_000;

/**
 * Tests an engine in a process of its own: native libraries may crash it, hang, or take a GPU and keep it.
 *
 * @returns never a rejection for what the engine does: a crash, a hang and nonsense are results with a problem
 */
export async function selfTest(engine: EngineName, options: SelfTestOptions = {}): Promise<SelfTestResult> {
  const { timeoutMs = TIMEOUT_MS, gpuRequired = false, environment } = options;
  // The same file that runs this: built, or under a loader for development, whose flags are handed on.
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const script = fileURLToPath(new URL(`../engine-self-test${extension}`, import.meta.url));
  const flags = extension === ".ts" ? process.execArgv : [];
  const args = [...flags, script, engine, ...(gpuRequired ? ["--gpu-required"] : []), "--json"];
  const end = await runCommand(process.execPath, args, {
    timeoutMs,
    ...(environment === undefined ? {} : { environment }),
  });
  return resultOfProcess(engine, end, timeoutMs);
}
