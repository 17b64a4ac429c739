/**
 * Hands an error that nobody has caught to `tell` instead of printing it, and ends this process with the exit code that
 * it would have had.
 * @returns a function that restores the default
 */
export function onCrash(tell: (thrown: unknown) => void): () => void {
  const handle = (thrown: unknown): void => {
    try {
      tell(thrown);
    } finally {
      process.exit(1);
    }
  };
  process.on("uncaughtException", handle);
  return () => process.off("uncaughtException", handle);
}
