/** Runs put in order, with what differs between them and how far their seeds do. Pure. */

import { flagName } from "../shared/config-resolve.ts";
import type { CompareConfig } from "../shared/config.ts";
import type { ComparedRun, LeftOutRun } from "./compared-run.ts";
import { differingOptions, optionText } from "./run-options.ts";
import { spread, type Spread } from "./statistics.ts";

export type SortKey = CompareConfig["by"];

/** Runs that differ in the seed only. */
export interface SeedGroup {
  /** The options by which it differs from the other groups, by key; `engine` is what computed. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same for people: `batch-size 64, lr 0.004`. */
  readonly label: string;
  /** All of them, as they are sorted; those that are not complete are not in the figures. */
  readonly runs: readonly string[];
  /** Of the complete runs, each once. */
  readonly seeds: readonly number[];
  readonly testAccuracy: Spread | undefined;
  readonly bestTestAccuracy: Spread | undefined;
  readonly trainLoss: Spread | undefined;
  readonly seconds: Spread | undefined;
}

export interface Comparison {
  readonly by: SortKey;
  /** Keys of the options that differ between the runs. */
  readonly differing: readonly string[];
  /** The best first; those that are not complete behind those that are. */
  readonly runs: readonly ComparedRun[];
  /** Each run is in one of them. The best first. */
  readonly groups: readonly SeedGroup[];
  readonly leftOut: readonly LeftOutRun[];
}

export function compareRuns(runs: readonly ComparedRun[], leftOut: readonly LeftOutRun[], by: SortKey): Comparison {
  const sorted = runs.toSorted(
    (a, b) =>
      Number(b.ending.type === "complete") - Number(a.ending.type === "complete") ||
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

function seedGroup(runs: readonly ComparedRun[], keys: readonly string[]): SeedGroup {
  const [first] = runs;
  const options = Object.fromEntries(keys.map((key) => [key, first && settingOf(first, key)]));
  // A seed that was run twice tells nothing new of how far seeds differ: lockstep's weights would be the same.
  const bySeed = new Map<number, ComparedRun>();
  for (const run of runs) {
    const { seed } = run.options;
    if (typeof seed === "number" && run.ending.type === "complete" && !bySeed.has(seed)) bySeed.set(seed, run);
  }
  const figures = [...bySeed.values()].map((run) => run.figures);
  return {
    options,
    label: keys.map((key) => `${flagName(key).slice(2)} ${optionText(options[key])}`).join(", "),
    runs: runs.map(({ name }) => name),
    seeds: [...bySeed.keys()].sort((a, b) => a - b),
    testAccuracy: spread(figures.map((each) => each.testAccuracy)),
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
  return by === "test-accuracy" ? b - a : a - b;
}

function figureOf(by: SortKey, { testAccuracy, trainLoss, seconds }: ComparedRun["figures"]): number | null {
  switch (by) {
    case "test-accuracy":
      return testAccuracy;
    case "train-loss":
      return trainLoss;
    case "time":
      return seconds;
    default:
      return by satisfies never;
  }
}

function meanOf(by: SortKey, { testAccuracy, trainLoss, seconds }: SeedGroup): number | null {
  const means = { "test-accuracy": testAccuracy, "train-loss": trainLoss, time: seconds };
  return means[by]?.mean ?? null;
}
