import { engineOf, isolationOf, moreWorkersThanGpus } from "../shared/config-gpus.ts";
import { flagName } from "../shared/config-resolve.ts";
import type { TrainConfig } from "../shared/config.ts";
import { LockstepError } from "../shared/errors.ts";
import { formatPlural } from "../shared/format.ts";
import { samplesPerStep } from "../shared/samples-per-step.ts";
import { type FoundGpus, foundText, type Gpu } from "../worker/gpus/gpu.ts";

/** Which workers `train` starts, and what each computes on. Pure. */
export interface WorkerPlan {
  readonly engine: TrainConfig["engine"];
  readonly isolation: "thread" | "process";
  /** For each worker what it computes on; "none": on no GPU; undefined: the engine decides. */
  readonly gpus: readonly (Gpu | "none" | undefined)[];
  /** What nobody has asked for and somebody should know. */
  readonly warning?: string;
}

/** Whether the plan depends on which GPUs there are. */
export function wantsGpus(config: TrainConfig): boolean {
  return engineOf(config) === "tensorflow" && config.gpus !== "none";
}

/**
 * @param cores how many threads this machine runs at once
 * @param found its GPUs, where the plan depends on them
 * @throws LockstepError "usage" for GPUs that are not there, and for more workers than these have places for
 */
export function planWorkers(config: TrainConfig, cores: number, found: FoundGpus): WorkerPlan {
  const plan = { engine: engineOf(config), isolation: isolationOf(config) };
  if (wantsGpus(config)) {
    const chosen = chosenGpus(config, found);
    if (chosen.length > 0) return { ...plan, ...onePerGpu(config, chosen) };
  }
  // Without a word the engines that take any GPU they find would.
  const gpu = plan.engine === "tensorflow" || config.gpus === "none" ? "none" : undefined;
  const warning = `${foundText(found)}: the tensorflow engine computes on the CPU`;
  return {
    ...plan,
    gpus: Array.from({ length: countWithout(config, cores) }, () => gpu),
    ...(wantsGpus(config) ? { warning } : {}),
  };
}

/** Those that are asked for; none where nobody asks for any and there is none. */
function chosenGpus({ gpus: wanted }: TrainConfig, found: FoundGpus): readonly Gpu[] {
  if (wanted === undefined || wanted === "none") return found.gpus;
  if (wanted === "all") {
    if (found.gpus.length > 0) return found.gpus;
    throw new LockstepError("usage", `--gpus all: ${foundText(found)}`);
  }
  return wanted.map((index) => {
    const gpu = found.gpus.find((each) => each.index === index);
    if (gpu !== undefined) return gpu;
    throw new LockstepError("usage", `--gpus ${wanted.join()}: GPU ${index} is not there; ${foundText(found)}`);
  });
}

/** A worker on each GPU, or as many as are asked for in turns; more than a step has shards would only wait. */
function onePerGpu(config: TrainConfig, chosen: readonly Gpu[]): Pick<WorkerPlan, "gpus" | "warning"> {
  const problem = moreWorkersThanGpus(config, chosen.length, flagName);
  if (problem !== undefined) throw new LockstepError("usage", problem);
  const { workers, minWorkers, shardSize, accumulate } = config;
  const samples = samplesPerStep(config);
  const shards = Math.ceil(samples / shardSize);
  const count = workers === "auto" ? Math.max(minWorkers, Math.min(chosen.length, shards)) : workers;
  const gpus = Array.from({ length: count }, (_, place) => chosen[place % chosen.length]);
  if (workers !== "auto" || count >= chosen.length) return { gpus };
  const warning =
    `${count} of ${chosen.length} GPUs are used: a step of ${samples} samples has ${formatPlural(shards, "shard")}; ` +
    `use --batch-size ${Math.ceil((chosen.length * shardSize) / accumulate)} or more`;
  return { gpus, warning };
}

/**
 * More workers than cores, or than shards in a step, would only wait; but as many as must be ready are started. With
 * "auto" the run then finds out how many of them it is best to use.
 */
function countWithout(config: TrainConfig, cores: number): number {
  const { workers, minWorkers, shardSize } = config;
  if (workers !== "auto") return workers;
  // All of them would compute on the same GPU.
  if (engineOf(config) === "webgpu") return Math.max(1, minWorkers);
  return Math.max(1, minWorkers, Math.min(cores, Math.ceil(samplesPerStep(config) / shardSize)));
}
