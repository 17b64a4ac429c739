import { expect, test } from "vitest";
import { autoWorkers } from "../src/auto-workers.ts";
import type { TriedCount } from "../src/coordinator/worker-count.ts";
import { step } from "./coordinator/training-events.ts";

/** A run of so many steps in which `stepMs` says how long a step with so many workers takes. */
function run(most: number, steps: number, stepMs: (using: number, step: number) => number) {
  let using = most;
  const choices: { readonly at: number; readonly workers: number; readonly tried: readonly TriedCount[] }[] = [];
  let at = 0;
  const tune = autoWorkers(most, 64, (count, tried) => {
    using = count;
    if (tried !== undefined) choices.push({ at, workers: count, tried });
  });
  for (at = 1; at <= steps; at++) {
    // The last batch of an epoch is short, and fast.
    const isShort = at % 938 === 0;
    const event = { step: at, samples: isShort ? 32 : 64, stepMs: isShort ? 0 : stepMs(using, at), workers: most };
    tune(step(event));
  }
  return { choices, using };
}

test("all workers are kept where they are fastest", () => {
  const { choices, using } = run(2, 9_380, (workers) => 4 / workers);
  expect(using).toBe(2);
  expect(choices).toEqual([
    {
      ...{ at: 380, workers: 2 },
      tried: [
        { workers: 2, stepMs: 2 },
        { workers: 1, stepMs: 4 },
      ],
    },
  ]);
});

test("some stand by where they only cost, until that is over", () => {
  const { choices, using } = run(2, 9_380, (workers, at) => (at < 3_000 ? 2 * workers : 4 / workers));
  expect(choices.map(({ at, workers }) => ({ at, workers }))).toEqual([
    { at: 380, workers: 1 },
    { at: 4_559, workers: 2 },
  ]);
  expect(using).toBe(2);
});

test("steps with a worker missing say nothing", () => {
  const tune = autoWorkers(2, 64, () => expect.fail("nothing is to be tried"));
  for (let at = 1; at <= 2_000; at++) tune(step({ step: at, samples: 64, workers: 1 }));
});

test("with one worker there is nothing to choose", () => {
  const tune = autoWorkers(1, 64, () => expect.fail("nothing is to be tried"));
  for (let at = 1; at <= 2_000; at++) tune(step({ step: at, samples: 64, workers: 1 }));
});
