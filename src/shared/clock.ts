/** Time, so that tests can hold it in their hands. */
export interface Clock {
  /** Milliseconds that never run backwards; the zero is arbitrary. */
  now(): number;
  /** Calls `action` every `intervalMs` until the returned function is called. */
  every(intervalMs: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs);
    return () => clearInterval(timer);
  },
};
