import { constants } from "node:os";
import type { Signal } from "./coordinator/machine/types.ts";

/** A process ended by a signal exits with 128 and the signal's number. */
export function signalExitCode(signal: Signal): number {
  return 128 + constants.signals[signal];
}

/**
 * Calls `first` at the first SIGINT or SIGTERM; a second one ends the process at once.
 * @returns a function that restores the default
 */
export function onSignal(first: (signal: Signal) => void): () => void {
  let received = false;
  const handle = (signal: NodeJS.Signals): void => {
    if (signal !== "SIGINT" && signal !== "SIGTERM") return;
    if (received) process.exit(signalExitCode(signal));
    received = true;
    first(signal);
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return () => {
    process.off("SIGINT", handle);
    process.off("SIGTERM", handle);
  };
}
