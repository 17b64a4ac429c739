/** Time, so that tests can hold it in their hands. */
export interface Clock {
  /** Milliseconds that never run backwards; the zero is arbitrary. */
  now(): number;
  /** Calls `action` every `intervalMs` until the returned function is called. */
  every(intervalMs: number, action: () => void): () => void;
}

/** A tick that comes so much too late was not kept by a busy event loop alone: the process was stopped, or it swaps. */
const STOPPED_MS = 1_000;

/**
 * Calls `onTick` every `intervalMs` until the returned function is called.
 * @param onTick is told how long this process was stopped since the last tick, in ms; 0 if it was not
 */
export function tickEvery(clock: Clock, intervalMs: number, onTick: (stoppedMs: number) => void): () => void {
  let due = clock.now() + intervalMs;
  return clock.every(intervalMs, () => {
    const now = clock.now();
    const tooLateMs = now - due;
    due = now + intervalMs;
    onTick(tooLateMs > STOPPED_MS ? tooLateMs : 0);
  });
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs);
    return () => clearInterval(timer);
  },
};
