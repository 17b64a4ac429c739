import { expect, test } from "vitest";
import { finishedText, summaryOf } from "../../../src/coordinator/log/result-text.ts";
import type { TrainingResult } from "../../../src/shared/events.ts";
import { finished } from "../training-events.ts";

function resultWith(changes: Partial<TrainingResult>): TrainingResult {
  const event = finished(changes);
  return event.type === "finished" ? event.result : expect.fail();
}

test("without validation images nothing more is said of the accuracy", () => {
  expect(summaryOf(resultWith({})).join("\n")).not.toMatch(/It is that of|Ended after/);
});

test("with validation images it says whose accuracy it is, and where those weights are", () => {
  const result = resultWith({ bestEpoch: 7, validationAccuracy: 0.9912, validationErrors: 44, runDir: "runs/a" });
  expect(summaryOf(result)[0]).toBe(
    "It is that of epoch 7, the best on the validation images with 99.12 %: runs/a/checkpoints/best",
  );
});

test.each([
  [
    { endedBy: "patience", epochs: 9, bestEpoch: 7, validationAccuracy: 1 },
    "Ended after 9 epochs: none of the last 2 epochs was better",
  ],
  [
    { endedBy: "patience", epochs: 3, bestEpoch: 2, validationAccuracy: 1 },
    "Ended after 3 epochs: the last one was no better",
  ],
  [{ endedBy: "time", epochs: 1 }, "Ended after 1 epoch: the time is up"],
  [{ endedBy: "time", epochs: 0 }, "Ended after 0 epochs: the time is up"],
] as const)("a run that ended early says why: %j", (changes, sentence) => {
  expect(summaryOf(resultWith(changes))).toContain(sentence);
});

test("a run whose time was up before anything was evaluated has no accuracy to tell", () => {
  const { text, isNews, isResult } = finishedText(
    resultWith({ endedBy: "time", testAccuracy: null, steps: 3 }),
    10_000,
  );
  expect({ text, isNews, isResult }).toEqual({ text: "Done after 3 steps", isNews: false, isResult: undefined });
});
