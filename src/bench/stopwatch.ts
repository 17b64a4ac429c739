/** Microseconds of one call, as the mean of many. */
export function microsecondsOf(action: () => void, repetitions: number): number {
  const startedAt = performance.now();
  for (let i = 0; i < repetitions; i++) action();
  return ((performance.now() - startedAt) * 1000) / repetitions;
}
