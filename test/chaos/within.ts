import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits for something that must not take long.
 * @param what names it: "the end of ..."
 * @throws Error when it is not there in time
 */
export async function within<Value>(timeoutMs: number, what: string, promise: Promise<Value>): Promise<Value> {
  const timer = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not come within ${timeoutMs / 1000} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    timer.abort();
  }
}
