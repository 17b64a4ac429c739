import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Draws } from "./draws.ts";
import type { Deed } from "./victims.ts";

/** What a crash, a bad disk or a careless hand can do to a run's folder of checkpoints while nobody trains in it. */

/** The step of a file that lockstep may have written. */
function stepOf(name: string): number | undefined {
  const digits = /^step-(\d+)\.safetensors$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Checkpoints of a run with so many steps, as paths, oldest first. */
export function checkpointsIn(folder: string, totalSteps: number): string[] {
  if (!existsSync(folder)) return [];
  const steps = readdirSync(folder)
    .map((name) => ({ name, step: stepOf(name) ?? Infinity }))
    .filter(({ name, step }) => step <= totalSteps && statSync(join(folder, name)).isFile());
  return steps.toSorted((a, b) => a.step - b.step).map(({ name }) => join(folder, name));
}

/** Files that were being written when their writer died. */
export function temporariesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".tmp")) : [];
}

/** Cuts the newest checkpoint short, unless it is the only one. */
export function truncateNewest(folder: string, totalSteps: number, draws: Draws): Deed {
  const newest = dispensable(folder, totalSteps);
  if (newest === undefined) return undefined;
  const bytes = draws.pick([0, draws.below(100), draws.below(statSync(newest).size)]);
  truncateSync(newest, bytes);
  return `${basename(newest)} to ${bytes} bytes`;
}

/** Overwrites a part of the newest checkpoint, unless it is the only one. */
export function garbleNewest(folder: string, totalSteps: number, draws: Draws): Deed {
  const newest = dispensable(folder, totalSteps);
  if (newest === undefined) return undefined;
  const contents = readFileSync(newest);
  const count = Math.min(contents.length, draws.pick([1, 8, 4_096]));
  const first = draws.below(contents.length - count + 1);
  for (let i = first; i < first + count; i++) contents[i] = contents[i]! ^ (1 + draws.below(255));
  writeFileSync(newest, contents);
  return `${basename(newest)}, ${count} bytes from ${first} on`;
}

/** Puts things into the folder that look like checkpoints, or not at all. */
export function dropForeign(folder: string, draws: Draws): Deed {
  if (!existsSync(folder)) return undefined;
  const number = String(900_000 + draws.below(99_999));
  const name = `step-${number}.safetensors`;
  const path = join(folder, name);
  if (existsSync(path)) return undefined;
  switch (draws.below(5)) {
    case 0:
      writeFileSync(path, draws.bytes(draws.below(10_000)));
      return `noise named ${name}`;
    case 1:
      mkdirSync(path);
      return `a folder named ${name}`;
    case 2:
      symlinkSync("nowhere.safetensors", path);
      return `a link to nowhere named ${name}`;
    case 3:
      writeFileSync(join(folder, `.${name}.0badcafe.tmp`), draws.bytes(1_000));
      return `half of a file, as if ${name} had been written`;
    default:
      writeFileSync(join(folder, `notes-${number}.txt`), "mind the gap\n");
      return "somebody's notes";
  }
}

/** Waits until a checkpoint is being written: its temporary file is there. @returns false after so long */
export async function untilCheckpointIsWritten(folder: string, timeoutMs: number): Promise<boolean> {
  if (!existsSync(folder)) return false;
  const known = new Set(temporariesIn(folder));
  return new Promise((resolve) => {
    const end = (isWritten: boolean): void => {
      clearTimeout(timer);
      watcher.close();
      resolve(isWritten);
    };
    const timer = setTimeout(end, timeoutMs, false);
    const watcher = watch(folder, (_, name) => {
      if (name?.endsWith(".tmp") === true && !known.has(name)) end(true);
    });
    watcher.on("error", () => end(false));
  });
}

/** The newest checkpoint, if the run could go on from another. */
function dispensable(folder: string, totalSteps: number): string | undefined {
  const all = checkpointsIn(folder, totalSteps);
  return all.length > 1 ? all.at(-1) : undefined;
}
