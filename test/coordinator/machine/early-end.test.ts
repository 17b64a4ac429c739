import { describe, expect, test } from "vitest";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import { CoordinatorScript } from "../../support/coordinator-script.ts";

/** Early stopping, validation images and the limit on a run's time. */

let script: CoordinatorScript;

function begin(changes: Partial<Plan>, ...peers: string[]): void {
  script = new CoordinatorScript({ stepsPerEpoch: 1, epochs: 10, ...changes });
  script.join(...(peers.length > 0 ? peers : ["A"]));
  script.transcript();
}

/** One step, and its evaluation: chunk by chunk so many images come out right. */
function epoch(...correct: number[]): void {
  script.computes("A");
  for (const each of correct) script.evaluates("A", each, 1);
}

/** What was decided about evaluations and the end since it was last asked. */
function decided(): string[] {
  const lines = script.transcript().split("\n");
  return lines.map((line) => line.trim()).filter((line) => /evaluated: |^finish/.test(line));
}

const VALIDATED = { evaluationChunks: 3, validationChunks: 1 } as const;

describe("validation images", () => {
  test("are counted apart from the test images, and tell which epoch is the best", () => {
    begin(VALIDATED);
    epoch(7, 100, 100);
    epoch(9, 90, 90);
    epoch(9, 120, 120);
    expect(decided()).toEqual([
      "epoch 0 evaluated: 200 correct, 7 of the validation images, the best",
      "epoch 1 evaluated: 180 correct, 9 of the validation images, the best",
      "epoch 2 evaluated: 240 correct, 9 of the validation images",
    ]);
  });

  test("decide nothing where there are none", () => {
    begin({ patience: 1 });
    for (const correct of [5, 4, 3]) epoch(correct, correct);
    expect(decided().at(-1)).toBe("epoch 2 evaluated: 6 correct");
    expect(script.state.phase.type).toBe("training");
  });
});

describe("early stopping", () => {
  test("ends the run after so many epochs without a better one", () => {
    begin({ ...VALIDATED, patience: 2 });
    epoch(5, 0, 0);
    epoch(4, 0, 0);
    epoch(6, 0, 0);
    epoch(6, 0, 0);
    expect(script.state.phase.type).toBe("training");
    epoch(5, 0, 0);
    expect(decided().at(-1)).toBe("finish: done, early: patience");
  });

  test("goes on counting where the run was left", () => {
    const start = { step: 4, evaluatedEpochs: 4, best: { epoch: 2, correct: 6 } };
    begin({ ...VALIDATED, patience: 2, start });
    epoch(6, 0, 0);
    expect(decided().at(-1)).toBe("finish: done, early: patience");
    begin({ ...VALIDATED, patience: 2, start });
    epoch(7, 0, 0);
    expect(decided()).toEqual(["epoch 4 evaluated: 0 correct, 7 of the validation images, the best"]);
  });

  test("has nothing left to do where it had ended the run", () => {
    script = new CoordinatorScript({
      ...{ ...VALIDATED, stepsPerEpoch: 1, epochs: 10, patience: 2 },
      start: { step: 5, evaluatedEpochs: 5, best: { epoch: 2, correct: 6 } },
    });
    expect(decided()).toEqual(["finish: done, early: patience"]);
  });
});

describe("when the time is up", () => {
  const LIMITED = { stepsPerEpoch: 10, runLimitMs: 200 };

  test("the step under way is finished, and its weights are evaluated", () => {
    begin(LIMITED);
    script.sends("A", "dense");
    script.tick(200);
    // The next step's work was given out before: without it the worker could not go on.
    script.sends("A", "conv");
    expect(decided()).toEqual([]);
    script.computes("A");
    script.evaluates("A", 50);
    expect(decided()).toEqual(["the end evaluated: 100 correct", "finish: done, early: time"]);
  });

  test("a step whose successor was not given out yet is the last", () => {
    begin(LIMITED);
    script.tick(200);
    script.computes("A");
    expect(script.transcript()).toContain("A <- evaluate version 1 chunks 0,1");
    script.evaluates("A", 50);
    expect(decided()).toEqual(["the end evaluated: 100 correct", "finish: done, early: time"]);
  });

  test("at an epoch's end, the epoch's evaluation is the last", () => {
    begin({ stepsPerEpoch: 1, runLimitMs: 200 });
    script.computes("A");
    script.tick(200);
    script.evaluates("A", 50);
    expect(decided()).toEqual(["epoch 0 evaluated: 100 correct", "finish: done, early: time"]);
  });

  const NOBODY = "finish: not-enough-workers, the run's time is up while it waits for workers: 0 of 1 ready";

  test("a run that waits for workers waits no longer", () => {
    begin(LIMITED);
    script.computes("A");
    script.lost("A");
    script.tick(199);
    expect(decided()).toEqual([]);
    script.tick(1);
    expect(decided()).toEqual([NOBODY]);
  });

  test("and all workers go amid the last evaluation, it is given up", () => {
    begin(LIMITED);
    script.tick(200);
    script.computes("A");
    script.lost("A");
    expect(decided()).toEqual([NOBODY]);
  });

  test("a worker that comes for the last evaluation takes part", () => {
    begin(LIMITED);
    script.tick(200);
    script.computes("A");
    script.evaluates("A", 50, 1);
    script.join("B");
    script.lost("A");
    script.evaluates("B", 30);
    expect(decided()).toEqual(["the end evaluated: 80 correct", "finish: done, early: time"]);
  });
});
