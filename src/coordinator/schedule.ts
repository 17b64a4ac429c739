/** The learning rate of each step: a function of the configuration and the step, never of the number of workers. */

import type { TrainingConfig } from "../shared/config.ts";
import { cosPi } from "../shared/cosine.ts";

/** The part of the run in which one-cycle warms up unless told: the recipe's choice; PyTorch's default is 0.3. */
const WARM_UP_FRACTION = 0.15;
/** One-cycle starts at peak / 25 and ends at start / 10,000, as PyTorch's defaults do. */
const START_DIVISOR = 25;
const END_DIVISOR = 1e4;

type Schedule = Pick<TrainingConfig, "lr" | "schedule" | "warmupEpochs">;

/** How long a run is, in steps. */
interface RunLength {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

/**
 * The learning rate of step `step` (from 0) of a run, rounded to float32.
 *
 * - `constant`: `lr`.
 * - `cosine`: half a cosine from `lr` to 0, which is reached after the last step (Loshchilov & Hutter 2017, SGDR, eq. 5,
 *   without restarts).
 * - `one-cycle`: half a cosine up to `lr` over the first 15 % of the steps, then half a cosine down to nearly 0 (Smith &
 *   Topin 2018, Super-Convergence), by the formula of PyTorch's `OneCycleLR` with `pct_start=0.15`. Runs too short to
 *   warm up (6 steps) start at the peak.
 *
 * With `warmupEpochs`, which make w whole steps, `constant` and `cosine` first rise along a line, from `lr` / w in the
 * first step to `lr` in the w-th (Goyal et al. 2017, section 2.2), and `cosine` anneals over the steps that are left.
 * `one-cycle` warms up over w steps instead of its 15 %.
 */
export function learningRate(config: Schedule, step: number, run: RunLength): number {
  return Math.fround(exactRate(config, step, run));
}

function exactRate(
  { lr, schedule, warmupEpochs }: Schedule,
  step: number,
  { stepsPerEpoch, totalSteps }: RunLength,
): number {
  const warmUp = warmupEpochs === undefined ? undefined : Math.round(warmupEpochs * stepsPerEpoch);
  if (schedule === "one-cycle") return oneCycle(lr, step, totalSteps, warmUp ?? WARM_UP_FRACTION * totalSteps);
  const risen = warmUp ?? 0;
  if (step < risen) return lr * ((step + 1) / risen);
  switch (schedule) {
    case "constant":
      return lr;
    case "cosine":
      return anneal(lr, 0, (step - risen) / (totalSteps - risen));
    default:
      throw new Error(`no such schedule: ${String(schedule satisfies never)}`);
  }
}

function oneCycle(peak: number, step: number, totalSteps: number, warmUp: number): number {
  const start = peak / START_DIVISOR;
  const lastStep = totalSteps - 1;
  const peakStep = Math.max(0, warmUp - 1);
  if (step < peakStep) return anneal(start, peak, step / peakStep);
  if (lastStep <= peakStep) return peak;
  return anneal(peak, start / END_DIVISOR, (step - peakStep) / (lastStep - peakStep));
}

/** From `from` at fraction 0 to `to` at fraction 1 along half a cosine. */
function anneal(from: number, to: number, fraction: number): number {
  return to + ((from - to) / 2) * (1 + cosPi(fraction));
}
