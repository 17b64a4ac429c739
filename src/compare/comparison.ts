/** Runs put in order, with what differs between them and how far their seeds do. Pure. */

import { flagName } from "../shared/config-resolve.ts";
import type { CompareConfig } from "../shared/config.ts";
import { LockstepError } from "../shared/errors.ts";
import { type ComparedRun, isDone, type LeftOutRun } from "./compared-run.ts";
import { differingOptions, optionText } from "./run-options.ts";
import { spread, type Spread } from "./statistics.ts";

export type SortKey = CompareConfig["by"];

/** Runs that differ in the seed only. */
export interface SeedGroup {
  /** The options by which it differs from the other groups, by key; `engine` is what computed. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same for people: `batch-size 64, lr 0.004`. */
  readonly label: string;
  /** All of them, as they are sorted; those that are not done are not in the figures. */
  readonly runs: readonly string[];
  /** Of the runs that are done, each once. */
  readonly seeds: readonly number[];
  readonly testAccuracy: Spread | undefined;
  readonly validationAccuracy: Spread | undefined;
  readonly bestTestAccuracy: Spread | undefined;
  readonly trainLoss: Spread | undefined;
  readonly seconds: Spread | undefined;
}

export interface Comparison {
  readonly by: SortKey;
  /** Keys of the options that differ between the runs. */
  readonly differing: readonly string[];
  /** The best first; those that did not do all that they were told to behind those that did. */
  readonly runs: readonly ComparedRun[];
  /** Each run is in one of them. The best first. */
  readonly groups: readonly SeedGroup[];
  readonly leftOut: readonly LeftOutRun[];
}

/** @throws LockstepError `usage` when no run has what they are to be sorted by, for want of validation images */
export function compareRuns(runs: readonly ComparedRun[], leftOut: readonly LeftOutRun[], by: SortKey): Comparison {
  if (by === "validation-accuracy" && !areValidated(runs)) {
    throw new LockstepError(
      "usage",
      "--by validation-accuracy: none of the runs has one; train with --validation, or sort by test-accuracy",
    );
  }
  const sorted = runs.toSorted(
    (a, b) =>
      Number(isDone(b.ending)) - Number(isDone(a.ending)) ||
      order(by, figureOf(by, a.figures), figureOf(by, b.figures)),
  );
  const differing = differingOptions(sorted.map(({ options }) => options));
  const engines = new Set(sorted.flatMap(({ figures }) => figures.engine ?? []));
  const groupKeys = [...differing.filter((key) => key !== "seed"), ...(engines.size > 1 ? ["engine"] : [])];
  const members = new Map<string, ComparedRun[]>();
  for (const run of sorted) {
    const key = JSON.stringify(groupKeys.map((name) => settingOf(run, name) ?? null));
    members.set(key, [...(members.get(key) ?? []), run]);
  }
  const groups = [...members.values()]
    .map((group) => seedGroup(group, groupKeys))
    .sort((a, b) => order(by, meanOf(by, a), meanOf(by, b)));
  return { by, differing, runs: sorted, groups, leftOut };
}

/** Whether any run has validation images. */
export function areValidated(runs: readonly ComparedRun[]): boolean {
  return runs.some(({ figures }) => figures.validationAccuracy !== null);
}

function seedGroup(runs: readonly ComparedRun[], keys: readonly string[]): SeedGroup {
  const [first] = runs;
  const options = Object.fromEntries(keys.map((key) => [key, first && settingOf(first, key)]));
  // A seed that was run twice tells nothing new of how far seeds differ: lockstep's weights would be the same.
  const bySeed = new Map<number, ComparedRun>();
  for (const run of runs) {
    const { seed } = run.options;
    if (typeof seed === "number" && isDone(run.ending) && !bySeed.has(seed)) bySeed.set(seed, run);
  }
  const figures = [...bySeed.values()].map((run) => run.figures);
  return {
    options,
    label: keys.map((key) => `${flagName(key).slice(2)} ${optionText(options[key])}`).join(", "),
    runs: runs.map(({ name }) => name),
    seeds: [...bySeed.keys()].sort((a, b) => a - b),
    testAccuracy: spread(figures.map((each) => each.testAccuracy)),
    validationAccuracy: spread(figures.map((each) => each.validationAccuracy)),
    bestTestAccuracy: spread(figures.map((each) => each.bestTestAccuracy)),
    trainLoss: spread(figures.map((each) => each.trainLoss)),
    seconds: spread(figures.map((each) => each.seconds)),
  };
}

/** Engines round differently: what computed counts, whatever was asked for. */
function settingOf({ options, figures }: ComparedRun, key: string): unknown {
  return key === "engine" ? (figures.engine ?? undefined) : options[key];
}

/** The best first, what was not measured last. */
function order(by: SortKey, a: number | null, b: number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return by === "test-accuracy" || by === "validation-accuracy" ? b - a : a - b;
}

function figureOf(by: SortKey, figures: ComparedRun["figures"]): number | null {
  const { testAccuracy, validationAccuracy, trainLoss, seconds } = figures;
  switch (by) {
    case "test-accuracy":
      return testAccuracy;
    case "validation-accuracy":
      return validationAccuracy;
    case "train-loss":
      return trainLoss;
    case "time":
      return seconds;
    default:
      return by satisfies never;
  }
}

function meanOf(by: SortKey, { testAccuracy, validationAccuracy, trainLoss, seconds }: SeedGroup): number | null {
  const accuracies = { "test-accuracy": testAccuracy, "validation-accuracy": validationAccuracy };
  return { ...accuracies, "train-loss": trainLoss, time: seconds }[by]?.mean ?? null;
}
