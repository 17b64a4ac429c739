/** The cells of the tables that a comparison is shown as. Pure. */

import { formatCount, formatPercent, formatSeconds } from "../shared/format.ts";
import { flagName } from "../shared/config-resolve.ts";
import type { ComparedRun, RunEnding } from "./compared-run.ts";
import { areValidated, type Comparison, type SeedGroup } from "./comparison.ts";
import { optionText } from "./run-options.ts";
import type { Spread } from "./statistics.ts";

export interface Table {
  readonly columns: readonly { readonly title: string; readonly align: "left" | "right" }[];
  readonly rows: readonly (readonly string[])[];
}

/** Characters of a hash that are shown, as in what training prints. */
const HASH_CHARACTERS = 16;
const UNKNOWN = "-";

/** A row for each run; how it ended is a column only where one is not complete, validation where one has it. */
export function runTable({ runs, differing }: Comparison): Table {
  const areComplete = runs.every(({ ending }) => ending.type === "complete");
  const isValidated = areValidated(runs);
  const right = [
    ...(isValidated ? ["validation accuracy", "after epoch"] : []),
    ...["test accuracy", "best", "in epoch", "train loss", "epochs done", "time", "images/s"],
  ];
  return {
    columns: [
      { title: "run", align: "left" },
      ...differing.map((key) => ({ title: flagName(key).slice(2), align: "right" as const })),
      ...right.map((title) => ({ title, align: "right" as const })),
      ...["engine", "weights", ...(areComplete ? [] : ["ended"])].map((title) => ({ title, align: "left" as const })),
    ],
    rows: runs.map((run) => [
      run.name,
      ...differing.map((key) => optionText(run.options[key])),
      ...(isValidated ? validationCells(run) : []),
      ...figureCells(run),
      ...(areComplete ? [] : [endingText(run.ending)]),
    ]),
  };
}

function validationCells({ figures }: ComparedRun): string[] {
  return [shown(figures.validationAccuracy, formatPercent), shown(figures.validationEpoch, String)];
}

function figureCells({ figures }: ComparedRun): string[] {
  return [
    shown(figures.testAccuracy, formatPercent),
    shown(figures.bestTestAccuracy, formatPercent),
    shown(figures.bestEpoch, String),
    shown(figures.trainLoss, lossText),
    String(figures.epochs),
    shown(figures.seconds, formatSeconds),
    shown(figures.samplesPerSecond, formatCount),
    figures.engine ?? UNKNOWN,
    figures.weightsSha256?.slice(0, HASH_CHARACTERS) ?? UNKNOWN,
  ];
}

/** A row for each figure of each group of several seeds; none where there is no such group. */
export function seedTable({ groups }: Comparison): Table | undefined {
  const several = groups.filter(({ seeds }) => seeds.length > 1);
  if (several.length === 0) return undefined;
  const isNamed = several.some(({ label }) => label !== "");
  const right = ["n", "mean", "sd", "min", "max"].map((title) => ({ title, align: "right" as const }));
  return {
    columns: [
      ...(isNamed ? [{ title: "runs with", align: "left" as const }] : []),
      { title: "over seeds", align: "left" },
      ...right,
    ],
    rows: several.flatMap((group) => groupRows(group).map((row) => [...(isNamed ? [group.label] : []), ...row])),
  };
}

function groupRows(group: SeedGroup): string[][] {
  const { validationAccuracy, testAccuracy, bestTestAccuracy, trainLoss, seconds } = group;
  return [
    ...spreadRow("validation accuracy", validationAccuracy, formatPercent),
    ...spreadRow("test accuracy", testAccuracy, formatPercent),
    ...spreadRow("best test accuracy", bestTestAccuracy, formatPercent),
    ...spreadRow("train loss", trainLoss, lossText),
    ...spreadRow("time", seconds, formatSeconds),
  ];
}

function spreadRow(name: string, found: Spread | undefined, format: (value: number) => string): string[][] {
  if (found === undefined) return [];
  const { n, mean, sd, min, max } = found;
  return [[name, String(n), format(mean), shown(sd, format), format(min), format(max)]];
}

/** `complete`, or in a few words what else. */
function endingText(ending: RunEnding): string {
  if (ending.type === "early") return ending.by === "time" ? "out of time" : "out of patience";
  return ending.type === "interrupted" ? `interrupted (${ending.signal})` : ending.type;
}

/** Four decimals, as training prints it. */
export function lossText(loss: number): string {
  return loss.toFixed(4);
}

function shown(value: number | null, format: (value: number) => string): string {
  return value === null ? UNKNOWN : format(value);
}
