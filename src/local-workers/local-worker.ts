import type { Readable } from "node:stream";

/** A worker that was started on this machine: a process or a thread. */
export interface LocalWorker {
  /** For people: "worker process 4711". */
  readonly name: string;
  /** Of a process of its own. */
  readonly pid?: number;
  /** What it has to say to people. */
  readonly stderr: Readable;
  /** Called once, when it has ended. */
  onExit(listener: (exit: LocalExit) => void): void;
  /** Makes it end at once, whatever it is doing, without a word. */
  end(): void;
  /** Makes sure of that. */
  kill(): void;
}

export interface LocalExit {
  /** "its process exited with code 1" */
  readonly reason: string;
  /** Its exit code, if it had the time to choose one. */
  readonly code: number | undefined;
  /** Whether somebody else has ended it, whatever it was doing. */
  readonly killed?: boolean;
  /** Where it failed, if that is known and was not said. */
  readonly stack?: string;
}

/**
 * Starts one worker. It reports the worker's end to the coordinator before any `onExit` listener is called.
 * @param place from 0: whoever is started in place of a worker that died gets the same
 * @throws when it cannot be started
 */
export type Launch = (place: number) => LocalWorker;
