import { expect, test } from "vitest";
import { settingOf } from "../../src/coordinator/advice.ts";
import { RunStatistics } from "../../src/coordinator/run-statistics.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { TrainingEvent } from "../../src/shared/events.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { epoch, step } from "./training-events.ts";

const SETTING = settingOf(configFrom("train", {}), 200, 2);
const REST = { weightsSha256: "", runDir: "", checkpoint: "", samplesLost: 0, samplesRepeated: 0 };

/** Two epochs of four steps with 50 samples, a step a second. */
const EVENTS: readonly TrainingEvent[] = [0, 1].flatMap((e) => [
  ...[1, 2, 3, 4].map((stepInEpoch) => {
    // Losses whose sums depend on the order, in the last bit.
    const loss = 1 / (e * 4 + stepInEpoch + 0.1);
    return step({ epoch: e + 1, stepInEpoch, step: e * 4 + stepInEpoch, loss, samples: 50, correct: 40, stepMs: 1000 });
  }),
  epoch({ epoch: e + 1, testErrors: 30 - e, testSamples: 300 }),
]);

const joined: TrainingEvent = {
  ...{ type: "worker-joined", worker: "w", engine: "wasm", device: "cpu", host: "h", pid: 1, workers: 1 },
};

function play(statistics: RunStatistics, events: readonly TrainingEvent[]): RunStatistics {
  statistics.record(joined, 0);
  for (const [i, event] of events.entries()) statistics.record(event, (i + 1) * 1000);
  return statistics;
}

test.each([1, 2, 4, 5, 6, 9, 10])(
  "a run that is resumed after %i events reports what an undisturbed one does",
  (cut) => {
    const whole = play(new RunStatistics(0, SETTING), EVENTS);
    const first = play(new RunStatistics(0, SETTING), EVENTS.slice(0, cut));
    const steps = EVENTS.slice(0, cut).filter(({ type }) => type === "step").length;
    // Numbers pass through a file as JSON.
    const progress = JSON.parse(JSON.stringify(first.progress)) as typeof first.progress;
    const checkpoint = checkpointOf(steps, { progress, engine: first.engine });
    const resumed = play(new RunStatistics(0, SETTING, { checkpoint, samples: steps * 50 }), EVENTS.slice(cut));
    expect(resumed.progress).toEqual(whole.progress);
    const { testAccuracy, testErrors, trainLoss, epochs, steps: allSteps, samples, engine } = whole.result(0, REST);
    expect(resumed.result(0, REST)).toMatchObject({
      ...{ testAccuracy, testErrors, trainLoss, epochs, steps: allSteps, samples, engine },
      resumedFrom: steps,
    });
  },
);

test("times and speed are those since it was resumed", () => {
  const checkpoint = checkpointOf(4, { progress: { evaluatedEpochs: 1, testErrors: 30, testSamples: 300 } });
  const resumed = play(new RunStatistics(0, SETTING, { checkpoint, samples: 200 }), EVENTS.slice(5, 9));
  expect(resumed.result(10_000, REST)).toMatchObject({
    ...{ samples: 400, trainSeconds: 4, samplesPerSecond: 50, wallSeconds: 10, workers: 1 },
  });
});

test("engines of both lives are named", () => {
  const before = { checkpoint: checkpointOf(4, { engine: "reference" }), samples: 200 };
  expect(play(new RunStatistics(0, SETTING, before), []).engine).toBe("reference+wasm");
  expect(new RunStatistics(0, SETTING, before).engine).toBe("reference");
  expect(new RunStatistics(0, SETTING).engine).toBe("none");
});

/** Three epochs, of which the second has the fewest errors on the validation images, the third on the test images. */
const VALIDATED = [
  [12, 30],
  [9, 31],
  [9, 28],
].map(([validationErrors, testErrors], i) =>
  epoch({
    ...{ epoch: i + 1, testErrors: testErrors!, testSamples: 300, isBest: i < 2 },
    ...{ validationErrors: validationErrors!, validationSamples: 200 },
  }),
);

test("with validation images the result is that of the best weights, after a resume as well", () => {
  const expected = { bestEpoch: 2, validationErrors: 9, validationAccuracy: 191 / 200, testErrors: 31, epochs: 3 };
  const whole = play(new RunStatistics(0, SETTING), VALIDATED);
  expect(whole.result(0, REST)).toMatchObject(expected);
  const { progress } = play(new RunStatistics(0, SETTING), VALIDATED.slice(0, 2));
  const resumed = new RunStatistics(0, SETTING, { checkpoint: checkpointOf(8, { progress }), samples: 0 });
  expect(play(resumed, VALIDATED.slice(2)).progress).toEqual(whole.progress);
  expect(resumed.result(0, REST)).toMatchObject(expected);
});

test("the weights amid an epoch, with which a run ended, count if none were better", () => {
  const end = (validationErrors: number | null): TrainingEvent => ({
    ...{ type: "end-evaluated", step: 10, testAccuracy: 0.9, testErrors: 30, testSamples: 300 },
    ...{ validationAccuracy: 0.96, validationErrors, validationSamples: 200 },
  });
  const better = play(new RunStatistics(0, SETTING), [...VALIDATED, end(8)]);
  expect(better.result(0, REST)).toMatchObject({ bestEpoch: null, validationErrors: 8, testErrors: 30 });
  const worse = play(new RunStatistics(0, SETTING), [...VALIDATED, end(9)]);
  expect(worse.result(0, REST)).toMatchObject({ bestEpoch: 2, validationErrors: 9, testErrors: 31 });
  const only = play(new RunStatistics(0, SETTING), [...EVENTS, end(null)]);
  expect(only.result(0, REST)).toMatchObject({ bestEpoch: null, validationErrors: null, testErrors: 30 });
  // A resumed run would not have it: no checkpoint may tell of it.
  expect(better.progress).toEqual(play(new RunStatistics(0, SETTING), VALIDATED).progress);
});
