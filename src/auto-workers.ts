import { type TriedCount, WorkerCountTrial } from "./coordinator/worker-count.ts";
import type { TrainingEvent } from "./shared/events.ts";

/** Where some workers stand by, that is put to the test again after so many steps: what disturbed may have passed. */
const STEPS_TO_RETRIAL = 4_000;

/**
 * `--workers auto`: tries in a run's first steps how many of its workers train fastest, and goes on with so many.
 *
 * @param most workers that were started
 * @param stepSamples samples in a step
 * @param use gives the following steps to so many of them; with all counts that were tried once the choice is made
 * @returns to be told the run's events
 */
export function autoWorkers(
  most: number,
  stepSamples: number,
  use: (count: number, tried?: readonly TriedCount[]) => void,
): (event: TrainingEvent) => void {
  let trial = most === 1 ? undefined : new WorkerCountTrial(most);
  let using = most;
  let retrialAt = Infinity;
  return (event) => {
    // Short steps and steps with some workers missing say nothing about the others.
    if (event.type !== "step" || event.samples !== stepSamples || event.workers < most) return;
    if (event.step >= retrialAt) {
      trial = new WorkerCountTrial(most, { warm: true });
      retrialAt = Infinity;
    }
    if (trial === undefined) return;
    trial.record(event.stepMs);
    const { outcome, next } = trial;
    if (outcome !== undefined) {
      trial = undefined;
      using = outcome.chosen.workers;
      if (using < most) retrialAt = event.step + STEPS_TO_RETRIAL;
      use(using, outcome.tried);
    } else if (next !== using) {
      using = next;
      use(next);
    }
  };
}
