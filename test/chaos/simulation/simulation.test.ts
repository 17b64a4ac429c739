import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";
import { simulateMany } from "./simulate-many.ts";

/**
 * The real coordinator and workers in a made-up world: another seed is another schedule of faults. To see one again, or
 * very many: `SIMULATION_SEED=123 SIMULATIONS=1 npx vitest run --project fast test/chaos/simulation`.
 */
const FIRST = Number(process.env.SIMULATION_SEED ?? 1);
/** Some ten seconds on two cores. */
const COUNT = Number(process.env.SIMULATIONS ?? 64);

test(
  `whatever happens, a run comes to what it comes to undisturbed (seeds from ${FIRST}, ${COUNT} of them)`,
  async () => {
    const { schedules } = await simulateMany(FIRST, COUNT);
    expect(schedules).toBe(COUNT);
  },
  60_000 + COUNT * 5_000,
);

test("a seed decides all that happens, and when", async () => {
  const [first, again, other] = [await simulate(5), await simulate(5), await simulate(21)];
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

test("a worker that computes something else is found out, with the seed and what happened", async () => {
  const wrong = simulate(3, (world) => {
    for (const worker of world.workers) worker.errs = true;
  });
  await expect(wrong).rejects.toThrow(/simulation 3 failed after\n[^]*welcomed[^]*step 1 is .*, undisturbed /);
});
