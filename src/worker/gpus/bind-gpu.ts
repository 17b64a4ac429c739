import { setTimeout as sleep } from "node:timers/promises";
import { LockstepError } from "../../shared/errors.ts";
import type { EngineName } from "../engines/engine.ts";
import { discoverGpus } from "./discover-gpus.ts";
import { type FoundGpus, foundText, type Gpu, gpuText } from "./gpu.ts";
import { type Claim, claimGpu, gpuHolder, type Holder } from "./gpu-claim.ts";

/**
 * Binds this process to one GPU, or to none, before its engine is made: TensorFlow would take the memory of every GPU that
 * it sees, and reads CUDA_VISIBLE_DEVICES once, from the environment of the process.
 */

/** A process that has just been killed may take this long to be gone, and its claim with it. */
const DYING_MS = 3_000;
const LOOK_EVERY_MS = 100;

export interface GpuRequest {
  readonly engine: EngineName | "auto";
  readonly gpu: "auto" | "none" | number;
  /** Takes a GPU that somebody else has as well. */
  readonly shareGpu: boolean;
  /** Leaves the GPU free for others all the same: for what is short and needs little. Default: false. */
  readonly withoutClaim?: boolean;
  /** What this process is and for whom it works, for others who want the same GPU. */
  readonly what: string;
  /** What `lockstep train` has found: nvidia-smi is not asked again. */
  readonly found?: FoundGpus;
}

export interface GpuBinding {
  /** The engine that was asked for, also by way of a GPU. */
  readonly engine: EngineName | "auto";
  /** What the engine is to compute on; left out where that is up to the engine. */
  readonly gpu?: Gpu | "none";
  /** A sentence for people, where nobody has asked for what it says. */
  readonly note?: string;
  /** To be called when the engine is disposed of. */
  release(): void;
}

/**
 * @param environment of this process, before native code has read it; CUDA_VISIBLE_DEVICES is set in it
 * @throws LockstepError "usage" for a GPU that is not there, "failed" for one that somebody else has
 */
export async function bindGpu(request: GpuRequest, environment: NodeJS.ProcessEnv = process.env): Promise<GpuBinding> {
  const { engine, gpu: wanted } = request;
  const release = (): void => {};
  if (engine !== "tensorflow" && typeof wanted !== "number") {
    return wanted === "none" ? { engine, gpu: "none", release } : { engine, release };
  }
  const hide = (): void => void (environment.CUDA_VISIBLE_DEVICES = "-1");
  if (wanted === "none") {
    hide();
    return { engine, gpu: "none", release };
  }
  const found = request.found ?? (await discoverGpus(environment));
  if (wanted === "auto" && found.gpus.length === 0) {
    hide();
    return { engine, gpu: "none", note: `${foundText(found)}: computing on the CPU`, release };
  }
  const candidates = wanted === "auto" ? found.gpus : found.gpus.filter(({ index }) => index === wanted);
  if (candidates.length === 0) throw new LockstepError("usage", `--gpu ${wanted} is not there; ${foundText(found)}`);
  const { gpu, claim } = await take(candidates, request);
  environment.CUDA_VISIBLE_DEVICES = gpu.uuid;
  return { engine: "tensorflow", gpu, release: () => claim?.release() };
}

/** The first of these GPUs that is free. Of workers that are started together each gets another one. */
async function take(
  candidates: readonly Gpu[],
  { shareGpu, what, withoutClaim = false }: GpuRequest,
): Promise<{ gpu: Gpu; claim: Claim | undefined }> {
  const deadline = performance.now() + (shareGpu ? 0 : DYING_MS);
  for (;;) {
    for (const gpu of candidates) {
      if (withoutClaim) {
        if ((await gpuHolder(gpu.uuid)) === undefined) return { gpu, claim: undefined };
        continue;
      }
      const claim = await claimGpu(gpu.uuid, what);
      if (claim !== undefined) return { gpu, claim };
    }
    if (performance.now() >= deadline) break;
    await sleep(LOOK_EVERY_MS);
  }
  const [first] = candidates;
  if (shareGpu && first !== undefined) return { gpu: first, claim: undefined };
  const advice = "choose another with --gpu, or allow it with --share-gpu";
  throw new LockstepError("failed", `${await inUseText(candidates)}; ${advice}`);
}

/**
 * Waits until nobody has any of these GPUs.
 * @throws LockstepError "failed" when somebody goes on using one
 */
export async function expectFreeGpus(gpus: readonly Gpu[], advice: string): Promise<void> {
  const deadline = performance.now() + DYING_MS;
  for (;;) {
    const holders = await Promise.all(gpus.map(({ uuid }) => gpuHolder(uuid)));
    const taken = gpus.filter((_, i) => holders[i] !== undefined);
    if (taken.length === 0) return;
    if (performance.now() >= deadline) throw new LockstepError("failed", `${await inUseText(taken)}; ${advice}`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function inUseText(gpus: readonly Gpu[]): Promise<string> {
  const holders = await Promise.all(gpus.map(({ uuid }) => gpuHolder(uuid)));
  return gpus.map((gpu, i) => `${gpuText(gpu)} is in use by ${holderText(holders[i])}`).join(", ");
}

function holderText(holder: Holder | "unknown" | undefined): string {
  if (holder === undefined || holder === "unknown") return "another process, which does not say who it is";
  return `${holder.what}, process ${holder.pid}, since ${holder.since}`;
}
