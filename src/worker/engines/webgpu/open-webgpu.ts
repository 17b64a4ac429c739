import { LockstepError } from "../../../shared/errors.ts";
import type { EngineOptions } from "../engine.ts";
import type { TfjsRuntime } from "../tfjs/tfjs-engine.ts";
import { type WebGpuBackend, openBackend } from "./backend.ts";

/** The backend that all engines of a thread share: TensorFlow.js has room for one. */
interface SharedBackend {
  readonly wanted: string;
  readonly backend: Promise<WebGpuBackend>;
  users: number;
}

let shared: SharedBackend | undefined;

/**
 * Opens a GPU of any maker through WebGPU. The environment variable `WEBGPU_ADAPTER` may hold a part of the name of the
 * one to use, where there are several.
 *
 * @throws LockstepError ("usage") when the packages are missing, when there is no such GPU, and when an engine of this
 * thread that is still in use was opened with other options
 */
export async function openWebGpu({ gpu, deterministic = true }: EngineOptions): Promise<TfjsRuntime> {
  const { WEBGPU_ADAPTER: namePart = "" } = process.env;
  const wanted = JSON.stringify({ gpu, deterministic, namePart });
  if (shared !== undefined && shared.wanted !== wanted) {
    const message = `a webgpu engine of this thread was opened for ${shared.wanted}, now ${wanted} is asked for: dispose of it first`;
    throw new LockstepError("usage", message);
  }
  shared ??= { wanted, backend: openBackend(gpu, deterministic, namePart), users: 0 };
  const mine = shared;
  mine.users++;
  const leave = (): boolean => {
    mine.users--;
    if (mine.users === 0) shared = undefined;
    return mine.users === 0;
  };
  try {
    const { close, ...runtime } = await mine.backend;
    let isOpen = true;
    const leaveOnce = (): void => {
      if (isOpen && leave()) close();
      isOpen = false;
    };
    return { ...runtime, close: leaveOnce };
  } catch (error) {
    leave();
    throw error;
  }
}
