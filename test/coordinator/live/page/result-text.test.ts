import { expect, test } from "vitest";
import { LiveRun } from "../../../../src/coordinator/live/live-run.ts";
import { endSentences } from "../../../../src/coordinator/live/page/result-text.ts";
import type { TrainingResult } from "../../../../src/shared/events.ts";
import { finished, started } from "../../training-events.ts";

const VALIDATED = { validationAccuracy: 0.975, validationErrors: 25, bestEpoch: 4 };

test.each<[string, Partial<TrainingResult>, string]>([
  ["a run without validation images", {}, ""],
  ["one with them", VALIDATED, "The accuracy is that of epoch 4, the best on the validation images with 97.50 %."],
  [
    "one that ran out of patience",
    { ...VALIDATED, epochs: 6, endedBy: "patience" },
    "The accuracy is that of epoch 4, the best on the validation images with 97.50 %. " +
      "The run ended after 6 of 10 epochs: none of the last 2 was better.",
  ],
  [
    "one that had little of it",
    { ...VALIDATED, epochs: 5, endedBy: "patience" },
    "The accuracy is that of epoch 4, the best on the validation images with 97.50 %. " +
      "The run ended after 5 of 10 epochs: the last one was no better.",
  ],
  [
    "one that ran out of time",
    { epochs: 2, steps: 2_000, endedBy: "time" },
    "The run ended after 2,000 of 9,380 steps: its time was up. It can be resumed.",
  ],
  [
    "one whose last weights, amid an epoch, are the best",
    { ...VALIDATED, bestEpoch: null, epochs: 2, steps: 2_000, endedBy: "time" },
    "The accuracy is that of the last weights, better on the validation images than any epoch's with 97.50 %. " +
      "The run ended after 2,000 of 9,380 steps: its time was up. It can be resumed.",
  ],
  [
    "one that ended in its first epoch",
    { ...VALIDATED, bestEpoch: null, epochs: 0, steps: 200, endedBy: "time" },
    "The run ended after 200 of 9,380 steps: its time was up. It can be resumed.",
  ],
])("%s", (_, changes, text) => {
  const run = new LiveRun({ runName: () => "mine", workers: () => [], now: () => 0, unixNow: () => 0 });
  run.record(started());
  run.record(finished(changes));
  const { result, state } = run.end();
  expect(endSentences(result!, state).join(" ")).toBe(text);
});
