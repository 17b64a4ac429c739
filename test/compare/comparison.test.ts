import { describe, expect, test } from "vitest";
import type { ComparedRun } from "../../src/compare/compared-run.ts";
import { compareRuns, type SortKey } from "../../src/compare/comparison.ts";
import { runTable } from "../../src/compare/run-rows.ts";
import { comparedOptions, differingOptions, optionText } from "../../src/compare/run-options.ts";
import { madeUpRun } from "./made-up-runs.ts";

const namesOf = (runs: readonly ComparedRun[], by: SortKey): string[] =>
  compareRuns(runs, [], by).runs.map(({ name }) => name);

describe("order", () => {
  const runs = [
    madeUpRun("quick", {}, { figures: { testAccuracy: 0.97, trainLoss: 0.3, seconds: 1 } }),
    madeUpRun("exact", {}, { figures: { testAccuracy: 0.99, trainLoss: 0.2, seconds: 9 } }),
    madeUpRun("fitted", {}, { figures: { testAccuracy: 0.98, trainLoss: 0.1, seconds: 5 } }),
    madeUpRun("blank", {}, { figures: { testAccuracy: null, trainLoss: null, seconds: null } }),
    // A run that was stopped is no quick one.
    madeUpRun(
      "stopped",
      {},
      { ending: { type: "unfinished" }, figures: { testAccuracy: 1, trainLoss: 0, seconds: 0 } },
    ),
  ];

  test.each([
    ["test-accuracy", ["exact", "fitted", "quick", "blank", "stopped"]],
    ["train-loss", ["fitted", "exact", "quick", "blank", "stopped"]],
    ["time", ["quick", "fitted", "exact", "blank", "stopped"]],
  ] as const)("by %s has the best first, and what is not complete last", (by, names) => {
    expect(namesOf(runs, by)).toEqual(names);
  });
});

describe("validation images", () => {
  const validated = (validationAccuracy: number | null, testAccuracy: number) => {
    return { figures: { validationAccuracy, validationEpoch: 2, testAccuracy } };
  };
  const runs = [
    madeUpRun("lucky", { validation: 5_000, lr: 0.004 }, validated(0.97, 0.99)),
    madeUpRun("good", { validation: 5_000 }, validated(0.98, 0.97)),
    madeUpRun("without", {}, validated(null, 0.98)),
  ];

  test("sort runs and groups, those without behind", () => {
    expect(namesOf(runs, "validation-accuracy")).toEqual(["good", "lucky", "without"]);
    const { groups } = compareRuns(runs, [], "validation-accuracy");
    expect(groups.map((group) => group.validationAccuracy?.mean)).toEqual([0.98, 0.97, undefined]);
  });

  test("are needed to sort by them", () => {
    expect(() => compareRuns(runs.slice(2), [], "validation-accuracy")).toThrow(
      "--by validation-accuracy: none of the runs has one; train with --validation",
    );
  });

  test("have columns where a run has some, and no other table has them", () => {
    const titlesOf = (of: readonly ComparedRun[]): string[] =>
      runTable(compareRuns(of, [], "time")).columns.map(({ title }) => title);
    const { rows } = runTable(compareRuns(runs, [], "validation-accuracy"));
    const at = titlesOf(runs).indexOf("validation accuracy");
    expect(titlesOf(runs).slice(at, at + 3)).toEqual(["validation accuracy", "after epoch", "test accuracy"]);
    expect(rows.map((row) => row.slice(at, at + 2))).toEqual([
      ["98.00 %", "2"],
      ["97.00 %", "2"],
      ["-", "2"],
    ]);
    expect(titlesOf(runs.slice(2))).not.toContain("validation accuracy");
  });
});

test("a run that ended early as it was told to is no worse for it, and is said to have", () => {
  const early = madeUpRun("early", { seed: 2 }, { ending: { type: "early", by: "patience" }, figures: { seconds: 1 } });
  const comparison = compareRuns([madeUpRun("whole"), early], [], "time");
  expect(comparison.runs.map(({ name }) => name)).toEqual(["early", "whole"]);
  expect(comparison.groups[0]?.seeds).toEqual([1, 2]);
  expect(runTable(comparison).rows.map((row) => row.at(-1))).toEqual(["out of patience", "complete"]);
});

describe("options", () => {
  test("that are about one start, or about what is shown, are not compared; a recipe is seen in what it sets", () => {
    const all = [
      comparedOptions({ recipe: "seed", runDir: "a", logEvery: 1, quiet: true, lr: 0.001, batchSize: 64 }),
      comparedOptions({ recipe: "fast", runDir: "b", logEvery: 2, quiet: false, lr: 0.004, batchSize: 64 }),
    ];
    expect(differingOptions(all)).toEqual(["lr"]);
  });

  test("of workers are not compared with a coordinator's run, which has none; engines by what computed", () => {
    expect(differingOptions([comparedOptions({ workers: 2 }), comparedOptions({})])).toEqual([]);
    expect(
      differingOptions([comparedOptions({ workers: 2, engine: "auto" }), comparedOptions({ workers: 3 })]),
    ).toEqual(["workers"]);
    const gpu = madeUpRun("gpu", { seed: 2 }, { figures: { engine: "tensorflow" } });
    const { groups } = compareRuns([madeUpRun("cpu"), gpu], [], "test-accuracy");
    expect(groups.map(({ label }) => label)).toEqual(["engine wasm", "engine tensorflow"]);
  });

  test("that change the training are compared, the time that one start may take is not", () => {
    const all = [comparedOptions({}), comparedOptions({ validation: 5_000, patience: 3, maxMinutes: 1 })];
    expect(differingOptions(all)).toEqual(["validation", "patience"]);
    const steps = { warmupEpochs: 1, weightDecay: 0.1, labelSmoothing: 0.1, accumulate: 2 };
    expect(differingOptions([comparedOptions({}), comparedOptions(steps)])).toEqual(Object.keys(steps));
  });

  test("are shown in a few digits", () => {
    const values = [0.008946769081974233, 65_536, 2 ** 53 - 1, "cosine", [0, 2], true, undefined];
    expect(values.map(optionText)).toEqual(["0.00894677", "65536", "9007199254740991", "cosine", "[0,2]", "true", "-"]);
  });

  test("that an older run does not know have their default", () => {
    expect(differingOptions([comparedOptions({}), comparedOptions({ ema: 0.998 })])).toEqual([]);
    expect(differingOptions([comparedOptions({}), comparedOptions({ clipNorm: 1 })])).toEqual(["clipNorm"]);
  });
});

describe("groups", () => {
  const accuracy = (testAccuracy: number) => ({ figures: { testAccuracy } });

  test("are runs that differ in the seed only, the best first, with what their figures come to", () => {
    const { groups, differing } = compareRuns(
      [
        madeUpRun("a1", { seed: 1 }, accuracy(0.96)),
        madeUpRun("b1", { seed: 1, lr: 0.004 }, accuracy(0.99)),
        madeUpRun("a2", { seed: 2 }, accuracy(0.98)),
      ],
      [],
      "test-accuracy",
    );
    expect(differing).toEqual(["lr", "seed"]);
    expect(groups.map(({ label, runs, seeds }) => [label, runs, seeds])).toEqual([
      ["lr 0.004", ["b1"], [1]],
      ["lr 0.001", ["a2", "a1"], [1, 2]],
    ]);
    expect(groups[1]?.testAccuracy).toMatchObject({ n: 2, mean: 0.97, min: 0.96, max: 0.98 });
    expect(groups[0]?.testAccuracy).toMatchObject({ n: 1, sd: null });
  });

  test("count a seed once, and only runs that are complete", () => {
    const stopped = { ...accuracy(0.1), ending: { type: "interrupted", signal: "SIGINT" } } as const;
    const { groups } = compareRuns(
      [
        madeUpRun("first", { seed: 1 }, accuracy(0.96)),
        madeUpRun("again", { seed: 1 }, accuracy(0.96)),
        madeUpRun("other", { seed: 2 }, accuracy(0.98)),
        madeUpRun("stopped", { seed: 3 }, stopped),
      ],
      [],
      "test-accuracy",
    );
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({ seeds: [1, 2], testAccuracy: { n: 2, mean: 0.97 } });
    expect(groups[0]?.runs).toHaveLength(4);
  });
});
