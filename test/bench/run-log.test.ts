import { expect, test } from "vitest";
import { parseRunLog, steadyRate } from "../../src/bench/run-log.ts";

const START = Date.parse("2026-01-31T12:00:00.000Z");
const time = (ms: number): string => new Date(START + ms).toISOString();
const step = (ms: number, epoch: number, number: number) => {
  return { time: time(ms), type: "step", epoch, stepInEpoch: number % 10, step: number, samples: 100, loss: 1 };
};
const text = (...lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

test("steps and epochs are read with their times", () => {
  const log = parseRunLog(
    text(step(250, 1, 5), { time: time(500), type: "epoch", epoch: 1, testAccuracy: 0.9, trainLoss: 1 }),
  );
  expect(log).toEqual({
    steps: [{ at: START + 250, epoch: 1, step: 5, samples: 100 }],
    epochs: [{ at: START + 500, epoch: 1, testAccuracy: 0.9 }],
  });
});

test("the steady rate leaves out the first half of the epochs, and what lies between epochs", () => {
  const log = parseRunLog(
    text(
      ...[step(0, 1, 2), step(900, 1, 10)],
      ...[step(2_000, 2, 12), step(2_250, 2, 17), step(2_400, 2, 20)],
      ...[step(4_000, 3, 22), step(4_400, 3, 30)],
    ),
  );
  // 8 steps of 100 images in 400 ms, twice.
  expect(steadyRate(log)).toBe(2_000);
});

test("of a single epoch it takes what there is", () => {
  expect(steadyRate(parseRunLog(text(step(0, 1, 2), step(400, 1, 10))))).toBe(2_000);
  expect(steadyRate(parseRunLog(""))).toBeNaN();
});
