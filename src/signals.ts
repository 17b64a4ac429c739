import { SIGNAL_EXIT_CODES } from "./shared/errors.ts";

export type Signal = keyof typeof SIGNAL_EXIT_CODES;

/**
 * Calls `first` at the first SIGINT or SIGTERM; a second one ends the process at once.
 * @returns a function that restores the default
 */
export function onSignal(first: (signal: Signal) => void): () => void {
  let received = false;
  const handlers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const handle = (): void => {
      if (received) process.exit(SIGNAL_EXIT_CODES[signal]);
      received = true;
      first(signal);
    };
    process.on(signal, handle);
    return () => process.off(signal, handle);
  });
  return () => {
    for (const remove of handlers) remove();
  };
}
