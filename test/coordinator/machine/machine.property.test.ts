import fc from "fast-check";
import { expect, test } from "vitest";
import type { Plan, Start } from "../../../src/coordinator/machine/types.ts";
import { PLAN } from "../../support/coordinator-script.ts";
import { SimulatedFleet } from "../../support/simulated-fleet.ts";
import { correctOf } from "../../support/simulated-worker.ts";

/** Far more than any repair needs: a connection's end is noticed within a second, a silence by a worker after three. */
const CALM_SECONDS = 15;

const plans: fc.Arbitrary<Plan> = fc
  .record({
    epochs: fc.integer({ min: 1, max: 2 }),
    stepsPerEpoch: fc.integer({ min: 1, max: 3 }),
    shardsPerStep: fc.integer({ min: 1, max: 9 }),
    shardsInLastStep: fc.integer({ min: 1, max: 9 }),
    evaluationChunks: fc.integer({ min: 1, max: 5 }),
    minWorkers: fc.integer({ min: 1, max: 3 }),
    begin: fc.double({ min: 0, max: 1, noNaN: true }),
    isEvaluated: fc.boolean(),
    validationChunks: fc.integer({ min: 0, max: 4 }),
    // Simulated runs take some seconds.
    runLimitMs: fc.oneof({ weight: 3, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 0, max: 10_000 })),
  })
  // Nothing may depend on the stall timeout: it is for workers that hang, and none does here.
  .map(({ begin, isEvaluated, ...sizes }) => ({
    ...{ ...PLAN, ...sizes, stallTimeoutMs: Infinity },
    validationChunks: Math.min(sizes.validationChunks, sizes.evaluationChunks - 1),
    start: startAt(Math.round(begin * sizes.epochs * sizes.stepsPerEpoch), sizes.stepsPerEpoch, isEvaluated),
  }));

/** @param isEvaluated whether the epoch was evaluated that ended just here, if one did */
function startAt(step: number, stepsPerEpoch: number, isEvaluated: boolean): Start {
  const epochs = Math.floor(step / stepsPerEpoch);
  const isWithin = step % stepsPerEpoch > 0 || step === 0;
  return { step, evaluatedEpochs: isWithin || isEvaluated ? epochs : epochs - 1 };
}

/** Lets chance rule, then calm. @returns the end of the run's transcript, when something is wrong */
function trouble(plan: Plan, seed: number, workers: number, happenings: number): string | undefined {
  const fleet = new SimulatedFleet(plan, seed);
  try {
    for (let i = 0; i < workers; i++) fleet.join();
    for (let i = 0; i < happenings && !fleet.over; i++) fleet.happen();
    while (fleet.alive < plan.minWorkers) fleet.join();
    for (let i = 0; i < CALM_SECONDS && !fleet.over; i++) fleet.calmSecond();
    checkEnd(fleet, plan);
    return undefined;
  } catch (thrown) {
    return `${fleet.transcript.slice(-60).join("\n")}\n${String(thrown)}`;
  }
}

function checkEnd({ invariants, interrupted, broken, now }: SimulatedFleet, plan: Plan): void {
  const { outcome, committed, evaluated } = invariants;
  if (outcome === undefined) throw new Error("the run does not end");
  // A coordinator that was restarted counts anew, so that this is the least that must have passed.
  const isTimeUp = now >= plan.runLimitMs;
  if (outcome.type === "not-enough-workers" && !isTimeUp) throw new Error("the run gave up");
  if (outcome.type === "interrupted" && !interrupted) throw new Error("nobody interrupted the run");
  // Two bad answers for the same slice; a computation gives two answers.
  if (outcome.type === "diverged" && broken < 2) throw new Error("the run diverged without a reason");
  const { evaluationChunks, validationChunks } = plan;
  const expected = `${correctIn(validationChunks, evaluationChunks)}+${correctIn(0, validationChunks)}`;
  for (const { test, validation } of evaluated) {
    if (`${test}+${validation}` !== expected) throw new Error(`evaluated to ${test}+${validation}, not ${expected}`);
  }
  if (outcome.type !== "done") return;
  if (outcome.early === "time" && isTimeUp) return;
  if (outcome.early !== undefined) throw new Error(`ended early by ${outcome.early}`);
  if (committed !== plan.epochs * plan.stepsPerEpoch) throw new Error(`done after ${committed} steps`);
  if (plan.start.evaluatedEpochs + evaluated.length !== plan.epochs)
    throw new Error(`done after ${evaluated.length} evaluations`);
}

/** Images that come out right in the chunks from `first` up to, not including, `end`. */
function correctIn(first: number, end: number): number {
  return Array.from({ length: end - first }, (_, i) => correctOf(first + i)).reduce((a, b) => a + b, 0);
}

test("whatever happens in a fleet, each step is applied once and in order, and the run comes to its end", () => {
  fc.assert(
    fc.property(
      plans,
      fc.integer(),
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 1_500 }),
      (plan, seed, workers, happenings) => {
        expect(trouble(plan, seed, workers, happenings)).toBeUndefined();
      },
    ),
    { numRuns: 2_500 },
  );
}, 60_000);

test("in a fleet in which nothing goes wrong nobody is lost, whatever order things come in", () => {
  fc.assert(
    fc.property(plans, fc.integer(), fc.integer({ min: 3, max: 6 }), (plan, seed, workers) => {
      const fleet = new SimulatedFleet({ ...plan, runLimitMs: Infinity }, seed);
      for (let i = 0; i < workers; i++) fleet.join();
      for (let i = 0; i < 20_000 && !fleet.over; i++) fleet.happenWell();
      expect(fleet.transcript.filter((line) => / lost \(/.test(line))).toEqual([]);
      expect(fleet.invariants.outcome).toEqual({ type: "done" });
    }),
    { numRuns: 300 },
  );
}, 60_000);
