import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nameOfTemporary, temporaryPath } from "../shared/whole-file.ts";

const current = new Set<string>();
process.once("exit", () => {
  for (const folder of current) rmSync(folder, { recursive: true, force: true });
});

/** What a killed process left is removed after a day: a younger folder may be another process's work. */
const LEFTOVER_MS = 86_400_000;

/** Lets `work` fill a new folder beside `path`, to be moved there. What is left of it is removed, however this ends. */
export async function inTemporaryFolder<T>(path: string, work: (folder: string) => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  removeLeftovers(path);
  const folder = temporaryPath(path);
  current.add(folder);
  try {
    mkdirSync(folder);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    current.delete(folder);
  }
}

function removeLeftovers(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    const leftover = join(dirname(path), name);
    if (nameOfTemporary(name) !== basename(path)) continue;
    const { mtimeMs } = statSync(leftover, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity };
    if (Date.now() - mtimeMs > LEFTOVER_MS) rmSync(leftover, { recursive: true, force: true });
  }
}
