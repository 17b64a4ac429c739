import { setImmediate } from "node:timers/promises";
import { LockstepError, messageOf } from "../../../shared/errors.ts";
import type { Device } from "./dawn.ts";

/**
 * Sees to it that nobody waits for a lost device, or goes on with the numbers of a failed one: WebGPU reports errors to
 * listeners only, and what was to be computed stays 0.
 */
export class DeviceWatch {
  readonly #waiting = new Set<(failure: LockstepError) => void>();
  #failure: LockstepError | undefined;

  constructor(device: Device, name: string) {
    const fail = (message: string): void => {
      this.#failure ??= new LockstepError("failed", message);
      for (const reject of this.#waiting) reject(this.#failure);
    };
    device.addEventListener("uncapturederror", ({ error }) => {
      fail(`${name} refused a computation of the webgpu engine: ${oneLine(error.message)}`);
    });
    void this.#reportLoss(device, name, fail);
  }

  /**
   * Waits for work on the device.
   * @throws LockstepError ("failed") when the device was lost or reported an error, now or before
   */
  async until<T>(work: Promise<T>): Promise<T> {
    let stopWaiting: (failure: LockstepError) => void = () => {};
    // Not Promise.race with one promise for all failures: that would keep a trace of every read until the end.
    const failed = new Promise<never>((_, reject) => (stopWaiting = reject));
    if (this.#failure !== undefined) stopWaiting(this.#failure);
    this.#waiting.add(stopWaiting);
    try {
      return this.#unlessFailed(await Promise.race([work, failed]));
    } catch (error) {
      // Work on a lost device may be refused before the loss is reported.
      await setImmediate();
      throw this.#failure ?? new LockstepError("failed", messageOf(error), { cause: error });
    } finally {
      this.#waiting.delete(stopWaiting);
    }
  }

  #unlessFailed<T>(result: T): T {
    if (this.#failure !== undefined) throw this.#failure;
    return result;
  }

  async #reportLoss(device: Device, name: string, fail: (message: string) => void): Promise<void> {
    const { reason, message } = await device.lost;
    const why = [reason, oneLine(message)].filter((part) => part !== "" && part !== "unknown").join(": ");
    const help = "start the worker again, and look for messages of its driver in the system's log";
    fail(`${name} was lost (${why || "no reason was given"}): ${help}`);
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}
