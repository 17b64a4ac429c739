/** The options of the run that `--resume` goes on with, as one more source of values. */

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { COMMAND_SCHEMAS, type CommandName, OPTIONS_OF_ONE_START, RECIPES } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import type { ConfigLayer } from "./config-resolve.ts";
import { LockstepError } from "./errors.ts";
import { defaultOf } from "./option-default.ts";

const RUNS = "runs";
const CONFIG = "config.json";

/**
 * The given layers, and where they say `resume` two more below them: the run's folder, which is the newest under `runs/`
 * unless they name one, and that run's own options, but for those that are about one start only.
 *
 * @throws LockstepError `usage` when there is no run to find, or its `config.json` holds what is no option
 */
export function withResumedRun(command: CommandName, layers: readonly ConfigLayer[]): readonly ConfigLayer[] {
  if ((command !== "train" && command !== "coordinator") || !isAskedFor(layers)) return layers;
  const named = given(layers, "runDir");
  const runDir = named === undefined ? newestRun() : typeof named === "string" ? named.trim() : "";
  // What is no path is refused with all that is no value.
  if (runDir === "") return layers;
  const folder = { values: { runDir }, nameOf: (key: string) => `${runDir}: ${key}` };
  const run = readRun(command, join(runDir, CONFIG));
  if (run === undefined) return [...layers, folder];
  const recipe = given(layers, "recipe");
  const left = new Set<string>(OPTIONS_OF_ONE_START);
  // Another recipe is meant to set what recipes set. Whether the run can go on with that is found out later.
  if (recipe !== undefined && recipe !== run.values.recipe) for (const key of RECIPE_KEYS) left.add(key);
  // The run's GPUs are for the run's engine.
  if (given(layers, "engine") !== undefined) for (const key of ["gpus", "shareGpu"]) left.add(key);
  const known = { ...WITHOUT_RECIPE, ...run.values };
  const values = Object.fromEntries(Object.entries(known).filter(([key]) => !left.has(key)));
  return [...layers, folder, { values, nameOf: run.nameOf }];
}

const RECIPE_KEYS = Object.values(RECIPES).flatMap(
  (settings) => Object.keys(settings) as (keyof (typeof RECIPES)["best"])[],
);

/** A run of before there was an option was trained with its default, whatever its recipe sets today. */
const WITHOUT_RECIPE = Object.fromEntries(RECIPE_KEYS.map((key) => [key, defaultOf(key)]));

function given(layers: readonly ConfigLayer[], key: string): unknown {
  return layers.find(({ values }) => values[key] !== undefined)?.values[key];
}

function isAskedFor(layers: readonly ConfigLayer[]): boolean {
  return COMMAND_SCHEMAS.train.shape.resume.safeParse(given(layers, "resume")).data === true;
}

/** The run that was started last. */
function newestRun(): string {
  const [newest] = foldersIn(RUNS)
    .map((name) => join(RUNS, name))
    .filter((path) => existsSync(join(path, CONFIG)))
    .map((path) => ({ path, startedAt: statSync(join(path, CONFIG)).mtimeMs }))
    .sort((a, b) => b.startedAt - a.startedAt || (a.path < b.path ? 1 : -1));
  if (newest !== undefined) return newest.path;
  throw new LockstepError(
    "usage",
    `--resume finds no run in ${RUNS}/ here; name its folder with --run-dir, or start a run without --resume`,
  );
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Undefined where there is none, or it is damaged: a checkpoint will then tell whether the options are the run's. */
function readRun(command: CommandName, path: string): ConfigLayer | undefined {
  try {
    JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
  return readConfigFile(path, command);
}
