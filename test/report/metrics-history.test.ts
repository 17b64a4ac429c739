import { describe, expect, test } from "vitest";
import { MetricsHistory } from "../../src/report/metrics-history.ts";
import { epoch, step, workerPhases } from "../coordinator/training-events.ts";

const lineOf = (event: object): string => JSON.stringify({ time: "2026-01-31T12:00:00.000Z", ...event });

function historyOf(events: readonly object[], end = { step: 20, stepsPerEpoch: 10, evaluatedEpochs: 2 }) {
  const history = new MetricsHistory(end);
  for (const event of events) expect(history.add(lineOf(event))).toBeUndefined();
  return history;
}

test("places steps and epochs on one axis", () => {
  const history = historyOf([
    step({ step: 5, loss: 2 }),
    epoch({ epoch: 1 }),
    step({ step: 15, loss: 1 }),
    epoch({ epoch: 2 }),
  ]);
  expect(history.lossPoints()).toEqual([
    { x: 0.5, y: 2 },
    { x: 1.5, y: 1 },
  ]);
  expect(history.epochPoints((row) => row.testErrors)).toEqual([
    { x: 1, y: 190 },
    { x: 2, y: 190 },
  ]);
  expect(history.speedPoints()[0]).toEqual({ x: 0.5, y: 64 / 0.0025 });
});

test("leaves out what came after the checkpoint, and counts it", () => {
  const history = historyOf([step({ step: 20 }), step({ step: 21 }), epoch({ epoch: 2 }), epoch({ epoch: 3 })]);
  expect([history.lossPoints().length, history.epochs().length, history.later]).toEqual([1, 1, 2]);
});

test("takes the last of lines that are there twice", () => {
  const history = historyOf([epoch({ epoch: 1, testErrors: 5 }), epoch({ epoch: 1, testErrors: 6 })]);
  expect(history.epochs().map(({ testErrors }) => testErrors)).toEqual([6]);
});

test("knows the validation images of a run that has some, and reads lines from before there were any", () => {
  const { validationAccuracy: _, validationErrors: __, ...older } = epoch({ epoch: 1 }) as Record<string, unknown>;
  const history = historyOf([older, epoch({ epoch: 2, validationAccuracy: 0.975, validationErrors: 25 })]);
  expect(history.epochs()).toMatchObject([
    { validationAccuracy: null, validationErrors: null },
    { validationAccuracy: 0.975, validationErrors: 25 },
  ]);
  expect(history.epochPoints((row) => row.validationAccuracy)).toEqual([{ x: 2, y: 0.975 }]);
});

test("takes numbers that were not finite, which JSON writes as null, as missing", () => {
  const history = historyOf([step({ step: 1, loss: NaN }), epoch({ epoch: 1, testAccuracy: NaN })]);
  expect(history.lossPoints()).toEqual([]);
  expect(history.epochPoints((row) => row.testAccuracy)).toEqual([]);
});

test("has mean phases: by worker and step, and by step", () => {
  const coordinator = { decideMs: 1, reduceMs: 0, adamMs: 0, sendMs: 0, tailMs: 0 };
  const [one, two] = [workerPhases({ computeMs: 1 }), workerPhases({ computeMs: 3 })];
  const history = historyOf([
    step({ step: 1, stepMs: 4, phases: { workers: [one, two], coordinator } }),
    step({ step: 2, stepMs: 6, phases: { workers: [workerPhases({ computeMs: 5 })], coordinator } }),
  ]);
  expect(history.phases()).toMatchObject({
    steps: 2,
    stepMs: 5,
    worker: { computeMs: 3 },
    coordinator: { decideMs: 1 },
  });
  expect(historyOf([]).phases()).toBeUndefined();
});

describe("says what is wrong with a line", () => {
  test.each([
    ['{"type":"step","step":1', "it is not JSON"],
    ["null", expect.stringMatching(/./)],
    ['{"type":"epoch","epoch":"one"}', expect.stringMatching(/^epoch: /)],
    [lineOf({ ...step(), stepMs: "long" }), expect.stringMatching(/^stepMs: /)],
  ])("%s", (text, fault) => {
    expect(new MetricsHistory({ step: 1, stepsPerEpoch: 1, evaluatedEpochs: 0 }).add(text)).toEqual(fault);
  });
});
