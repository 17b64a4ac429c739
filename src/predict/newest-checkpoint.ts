import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { LockstepError } from "../shared/errors.ts";

const RUNS = "runs";
/** Links in a run's folder, the better one first. A run that was stopped in its first epoch has no best one. */
const LINKS = ["best", "latest"];

/**
 * The path of the best checkpoint of the run that was started last.
 *
 * @param runs the folder of the runs
 * @throws LockstepError `usage` when no run there has a checkpoint
 */
export function newestCheckpoint(runs = RUNS): string {
  const [newest] = foldersIn(runs)
    .flatMap((name) => {
      const folder = join(runs, name);
      const link = LINKS.map((each) => join(folder, "checkpoints", each)).find((path) => existsSync(path));
      const config = join(folder, "config.json");
      // A file among the folders has nothing in it.
      if (link === undefined || !existsSync(config)) return [];
      return [{ link, startedAt: statSync(config).mtimeMs }];
    })
    .sort((a, b) => b.startedAt - a.startedAt || (a.link < b.link ? 1 : -1));
  if (newest !== undefined) return newest.link;
  const advice = "name one with --checkpoint, or make one with lockstep train";
  throw new LockstepError("usage", `no run in ${runs}/ here has a checkpoint; ${advice}`);
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
