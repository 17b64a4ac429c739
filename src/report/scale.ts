/** Where values lie on an axis, and which of them are named there. Pure. */

export interface Scale {
  readonly ticks: readonly number[];
  /** From 0, the lower end, to 1. */
  readonly place: (value: number) => number;
}

/** Steps of a ruler: a power of ten times one of these. */
const NICE = [1, 2, 5, 10];

/** @param wanted about as many ticks */
export function linearScale(low: number, high: number, wanted = 5): Scale {
  const span = high > low ? high - low : 1;
  const step = niceStep(span / wanted);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= low + span * (1 + 1e-9); i++) ticks.push(tidy(i * step));
  return { ticks, place: (value) => (value - low) / span };
}

/** Ends at whole powers of ten, or at 2 and 5 times one where the values are close together. @param low above 0 */
export function logarithmicScale(low: number, high: number): Scale {
  const steps = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  const candidates: number[] = [];
  const top = Math.ceil(Math.log10(high)) + 1;
  for (let exponent = Math.floor(Math.log10(low)) - 1; exponent <= top; exponent++) {
    for (const step of steps) candidates.push(tidy(step * 10 ** exponent));
  }
  const first = candidates.findLast((tick) => tick <= low) ?? low;
  const last = candidates.find((tick) => tick >= high && tick > first) ?? high;
  const ticks = candidates.filter((tick) => tick >= first && tick <= last);
  const span = Math.log10(last / first);
  return { ticks, place: (value) => Math.log10(value / first) / span };
}

/** The nice step at or above a size. */
function niceStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  return (NICE.find((nice) => nice * power >= size * (1 - 1e-9)) ?? 10) * power;
}

/** Without the last digits that sums of tenths leave. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
