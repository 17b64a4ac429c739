import { expect, test } from "vitest";
import { RunStatus } from "../../src/coordinator/run-status.ts";
import { endEvaluated, epoch, finished, resumed, started, step } from "./training-events.ts";

const START_MS = Date.UTC(2026, 0, 31, 12);

function setUp() {
  const clock = { ms: 0 };
  return { clock, status: new RunStatus({ now: () => clock.ms, time: () => START_MS + clock.ms }) };
}

test("what is not known yet is null", () => {
  expect(setUp().status.read()).toEqual({
    ...{ loss: null, learningRate: null, epoch: null, trainLoss: null, trainAccuracy: null, testAccuracy: null },
    ...{ validationAccuracy: null, bestEpoch: null },
    ...{ samplesPerSecond: 0, etaSeconds: null, checkpoint: null, events: [] },
  });
});

test("tells how the run stands", () => {
  const { clock, status } = setUp();
  status.record(started({ totalSteps: 1000 }));
  clock.ms = 1000;
  status.record(step({ step: 400, stepInEpoch: 400, samples: 64, samplesCounted: 25_600, loss: 0.5 }));
  status.record(epoch({ trainLoss: 0.2, testAccuracy: 0.98 }));
  status.record({ type: "checkpoint", path: "runs/a/x", step: 400, sizeBytes: 1, durationMs: 1 });
  expect(status.read()).toMatchObject({
    ...{ loss: 0.5, trainLoss: 0.2, testAccuracy: 0.98, samplesPerSecond: 64, etaSeconds: 600 },
    checkpoint: { step: 400, path: "runs/a/x", time: "2026-01-31T12:00:01.000Z" },
  });
  status.record(finished());
  expect(status.read()).toMatchObject({ etaSeconds: 0 });
});

test("tells the last evaluation, and which epoch is the best on the validation images", () => {
  const { status } = setUp();
  status.record(epoch({ epoch: 1, testAccuracy: 0.95, validationAccuracy: 0.96, isBest: true }));
  status.record(epoch({ epoch: 2, testAccuracy: 0.96, validationAccuracy: 0.94 }));
  expect(status.read()).toMatchObject({ testAccuracy: 0.96, validationAccuracy: 0.94, bestEpoch: 1 });
  status.record(endEvaluated({ testAccuracy: 0.97, validationAccuracy: 0.95 }));
  expect(status.read()).toMatchObject({
    testAccuracy: 0.97,
    validationAccuracy: 0.95,
    bestEpoch: 1,
    trainLoss: 0.2001,
  });
});

test("a resumed run knows its best epoch from the start", () => {
  const { status } = setUp();
  status.record(resumed({ bestEpoch: 3 }));
  status.record(epoch({ epoch: 4, validationAccuracy: 0.94 }));
  expect(status.read()).toMatchObject({ bestEpoch: 3 });
  status.record(epoch({ epoch: 5, validationAccuracy: 0.97, isBest: true }));
  expect(status.read()).toMatchObject({ bestEpoch: 5 });
});

test("the last 20 things that happened are told as sentences, steps and rejected results not", () => {
  const { clock, status } = setUp();
  status.record(resumed());
  for (let i = 1; i <= 30; i++) {
    clock.ms = i * 1000;
    status.record(step({ step: i }));
    status.record({ type: "rejected", reason: "duplicate" });
    status.record({ type: "warning", message: `this is warning ${i}` });
  }
  const events = status.read()["events"] as { time: string; text: string }[];
  expect(events).toHaveLength(20);
  expect(events[0]?.text).toContain("this is warning 11");
  expect(events.at(-1)).toEqual({
    time: "2026-01-31T12:00:30.000Z",
    text: expect.stringContaining("this is warning 30"),
  });
});
