import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CoordinatorConfig, DECISIVE_OPTIONS, publicConfig, type TrainConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { replaceFileSync } from "../shared/whole-file.ts";
import { findCheckpoint } from "./checkpoint-store.ts";
import { RunPlan } from "./plan.ts";
import { requireSameRun, type Resumption, startOf } from "./resumption.ts";
import { CHECKPOINTS, createRunDirectory, openRunDirectory, type RunDirectory } from "./run-directory.ts";

interface OpenedRunOptions {
  readonly config: TrainConfig | CoordinatorConfig;
  readonly dataset: DatasetSummary;
  readonly now: () => Date;
  /** Of lockstep, for `result.json`. */
  readonly version?: string | undefined;
  readonly warn: (message: string) => void;
}

/** A run's folder, and where the run goes on from if it was there before. */
interface OpenedRun {
  readonly directory: RunDirectory;
  readonly resumption: Resumption | undefined;
}

/**
 * Makes a new run's folder, or with `resume` opens that of the run to go on with, at its newest usable checkpoint. Where
 * there is no checkpoint yet the run begins anew: whoever starts a run again and again need not know how far it came.
 *
 * @throws LockstepError `usage` when the folder cannot be had, or the run was trained with other options so far;
 * `refused` when it was with other data, or none of its checkpoints can be used
 */
export async function openRun({ config, dataset, now, version, warn }: OpenedRunOptions): Promise<OpenedRun> {
  const { resume, runDir } = config;
  // What cannot be a run leaves no folder behind.
  const plan = new RunPlan(config, dataset);
  if (!resume || runDir === undefined) {
    return { directory: createRunDirectory({ config, now, version, warn }), resumption: undefined };
  }
  const resumption = await findCheckpoint(join(runDir, CHECKPOINTS));
  if (resumption === undefined) warn(`${runDir} holds no checkpoint to resume from: starting at step 0`);
  else requireSameRun(config, dataset, plan, resumption);
  for (const message of resumption?.refused ?? []) warn(message);
  const { stepsPerEpoch } = plan;
  const directory = openRunDirectory({ config, now, version, warn }, { ...startOf(resumption), stepsPerEpoch });
  updateConfig(join(directory.path, "config.json"), config);
  return { directory, resumption };
}

/** Where the run goes on with more epochs, or begins anew with other options, `config.json` says so. */
function updateConfig(path: string, config: TrainConfig | CoordinatorConfig): void {
  const found = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const wanted = publicConfig(config);
  if (DECISIVE_OPTIONS.every((key) => found[key] === wanted[key])) return;
  replaceFileSync(path, `${JSON.stringify(wanted, undefined, 2)}\n`);
}
