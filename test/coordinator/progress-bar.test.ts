import { expect, test } from "vitest";
import { barLine, type BarState } from "../../src/coordinator/progress-bar.ts";

const state: BarState = {
  step: 4690,
  totalSteps: 9380,
  epoch: 5,
  epochs: 10,
  loss: 0.0123,
  samplesPerSecond: 24_650.4,
  etaSeconds: 3725.2,
  workers: 1,
};

test.each([
  [
    200,
    "[===============---------------] 50 % | Epoch 5/10 | step 4,690/9,380 | loss 0.0123 | 24,650 img/s | ETA 1:02:06 | 1 worker",
  ],
  [100, "50 % | Epoch 5/10 | step 4,690/9,380 | loss 0.0123 | 24,650 img/s | ETA 1:02:06 | 1 worker"],
  [80, "50 % | Epoch 5/10 | step 4,690/9,380 | loss 0.0123 | 24,650 img/s | ETA 1:02:06"],
  [20, "50 % | Epoch 5/10"],
  [3, "50 "],
])("a line of %i columns", (width, line) => {
  expect(barLine(state, width)).toBe(line);
});

test("says so when there is nothing to tell yet", () => {
  expect(barLine({ ...state, step: 0, loss: undefined, samplesPerSecond: 0, etaSeconds: undefined }, 120)).toMatch(
    /^\[-+\] 0 % \| Epoch 5\/10 \| step 0\/9,380 \| loss - \| 0 img\/s \| ETA - \| 1 worker$/,
  );
});
