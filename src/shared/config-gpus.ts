/** What the options of engine, workers and GPUs mean together. Pure. */

/** Those options, as far as a command has them. */
interface ComputeOptions {
  readonly engine?: "auto" | "wasm" | "tensorflow" | "webgpu" | "reference";
  readonly gpu?: "auto" | "none" | number;
  readonly gpus?: "all" | "none" | readonly number[];
  readonly isolation?: "auto" | "thread" | "process";
  readonly workers?: "auto" | number;
  readonly minWorkers?: number;
  readonly shareGpu?: boolean;
}

/** The engine that is asked for: whoever names GPUs wants TensorFlow. */
export function engineOf({ engine = "auto", gpu, gpus }: ComputeOptions): NonNullable<ComputeOptions["engine"]> {
  const asksForGpus = typeof gpu === "number" || (gpus !== undefined && gpus !== "none");
  return engine === "auto" && asksForGpus ? "tensorflow" : engine;
}

/** Threads share memory, which is faster; but a native runtime is made for one engine in a process. */
export function isolationOf(config: ComputeOptions): "thread" | "process" {
  if (config.isolation !== undefined && config.isolation !== "auto") return config.isolation;
  return isNative(engineOf(config)) ? "process" : "thread";
}

const isNative = (engine: ComputeOptions["engine"]): boolean => engine === "tensorflow" || engine === "webgpu";

/** How options of one source are written in sentences. */
type NameOf = (key: string) => string;

/** Why these options cannot be had together, as a sentence. */
export function computeConflict(config: ComputeOptions, name: NameOf): string | undefined {
  const { gpu, gpus, isolation } = config;
  const engine = engineOf(config);
  if (engine !== "tensorflow") {
    const key = typeof gpu === "number" ? "gpu" : gpus !== undefined && gpus !== "none" ? "gpus" : undefined;
    if (key !== undefined) {
      return (
        `${name(key)} ${String(config[key])} and ${name("engine")} ${engine} contradict each other: only the tensorflow ` +
        `engine computes on GPUs of one's choice; leave one of them out, or make ${name(key)} none`
      );
    }
  }
  if (isolation === "thread" && isNative(engine)) {
    return `${name("isolation")} thread is not possible with the ${engine} engine, which takes a process for each worker; allowed: auto or process`;
  }
  return Array.isArray(gpus) ? moreWorkersThanGpus(config, gpus.length, name) : undefined;
}

/** Why so many workers cannot have a GPU each, as a sentence; undefined where they can, or may share. */
export function moreWorkersThanGpus(
  { workers, minWorkers = 1, shareGpu = false }: ComputeOptions,
  gpus: number,
  name: NameOf,
): string | undefined {
  if (shareGpu) return undefined;
  const count = gpus === 1 ? "1 GPU" : `${gpus} GPUs`;
  const advice = `allowed: at most ${gpus}, or more with ${name("shareGpu")}`;
  if (typeof workers === "number" && workers > gpus) {
    return `${name("workers")} ${workers} is more than one for each of ${count}; ${advice}`;
  }
  if (minWorkers > gpus) {
    return `${name("minWorkers")} ${minWorkers} can never be reached with one worker for each of ${count}; ${advice}`;
  }
  return undefined;
}
