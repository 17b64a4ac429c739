import { SIGNAL_EXIT_CODES, type Signal, SIGNALS } from "./shared/errors.ts";

/**
 * Calls `first` at the first signal that asks this process to end; a second one ends it at once. A closed terminal
 * (SIGHUP) is one of them: a dropped connection must not cost the run.
 * @returns a function that restores the default
 */
export function onSignal(first: (signal: Signal) => void): () => void {
  let received = false;
  const handlers = SIGNALS.map((signal) => {
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
