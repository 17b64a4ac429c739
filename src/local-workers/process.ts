import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TrainConfig } from "../shared/config.ts";
import { invariant } from "../shared/errors.ts";
import type { Gpu } from "../worker/gpus/gpu.ts";
import { CHILD_GPU, CHILD_MARK } from "./child-mark.ts";
import type { LocalExit, LocalWorker } from "./local-worker.ts";

export interface ProcessOptions {
  /** The coordinator's. */
  readonly address: string;
  readonly engine: TrainConfig["engine"];
  readonly deterministic: boolean;
  /** What it must compute on; "none": on no GPU; undefined: the engine decides. */
  readonly gpu: Gpu | "none" | undefined;
  readonly shareGpu: boolean;
  readonly data: string | undefined;
  readonly onExit: (pid: number, reason: string) => void;
}

/** Starts `lockstep worker` as a child process. */
export function launchProcess(options: ProcessOptions): LocalWorker {
  const { gpu, onExit } = options;
  // The same file that runs this: cli.js once built, cli.ts under a loader for development. Only the loader's flags are
  // handed on: others may be another program's, such as `-e` with its code.
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const cli = fileURLToPath(new URL(`../cli${extension}`, import.meta.url));
  const flags = extension === ".ts" ? process.execArgv : [];
  const child = spawn(process.execPath, [...flags, cli, "worker", ...workerFlags(options)], {
    env: {
      ...withoutOptions(process.env),
      [CHILD_MARK]: "1",
      ...(typeof gpu === "object" ? { [CHILD_GPU]: JSON.stringify(gpu) } : {}),
    },
    // The channel closes with this process, however it ends: the worker then ends too.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  invariant(child.stderr !== null, "a worker's stderr is a pipe");
  const { pid } = child;
  return {
    name: `worker process ${pid ?? "(not started)"}`,
    ...(pid === undefined ? {} : { pid }),
    stderr: child.stderr,
    onExit: (listener: (exit: LocalExit) => void) => {
      child.on("error", (error) => {
        if (pid === undefined) listener({ reason: `could not be started: ${error.message}`, code: undefined });
      });
      // Not "close": it does not come once the channel was closed from this side.
      child.on("exit", (code, signal) => {
        const reason = signal === null ? `its process exited with code ${code}` : `its process was ended by ${signal}`;
        if (pid !== undefined) onExit(pid, reason);
        // Other signals, such as SIGSEGV, are of its own making.
        listener({ reason, code: code ?? undefined, killed: signal === "SIGKILL" || signal === "SIGTERM" });
      });
    },
    // A worker whose channel closes ends at once.
    end: () => child.connected && child.disconnect(),
    kill: () => child.kill("SIGKILL"),
  };
}

/** What a worker's command line says. */
export function workerFlags(options: Omit<ProcessOptions, "onExit">): readonly string[] {
  const { address, engine, deterministic, gpu, shareGpu, data } = options;
  return [
    ...["--connect", address, "--engine", engine, "--quiet"],
    ...(deterministic ? [] : ["--no-deterministic"]),
    ...(gpu === undefined ? [] : ["--gpu", gpu === "none" ? gpu : String(gpu.index)]),
    ...(shareGpu ? ["--share-gpu"] : []),
    ...(data === undefined ? [] : ["--data", data]),
  ];
}

/** What was set for this command is handed to the workers as flags; its variables are not meant for them. */
function withoutOptions(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("LOCKSTEP_")));
}
