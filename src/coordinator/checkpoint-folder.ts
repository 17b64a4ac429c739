/** The checkpoints in a run's folder: which files can be used, which is the best, which may go. */

import { lstat, readdir, readlink, rename, rm, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { decidingErrors, isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { checkpointName, readCheckpoint, stepOfName } from "../shared/checkpoint-file.ts";
import type { Checkpoint } from "../shared/checkpoint.ts";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { nameOfTemporary, temporaryPath } from "../shared/whole-file.ts";

const LATEST = "latest";
const BEST = "best";

/** A checkpoint that can be used. */
export interface UsableFile {
  readonly name: string;
  readonly step: number;
  readonly evaluatedEpochs: number;
  /** Of these very weights, on validation images if there are any, or else on test images; undefined when not evaluated. */
  readonly errors: number | undefined;
}

interface SeenFile {
  /** Changes whenever the file does. */
  readonly mark: string;
  /** Undefined for what is damaged or none of ours. */
  readonly usable: UsableFile | undefined;
}

/**
 * What is known of a folder's checkpoints. Each file is read once, and again after it has changed. Whatever is not a
 * whole checkpoint that lockstep wrote is neither counted nor removed.
 */
export class CheckpointFolder {
  readonly path: string;
  #seen = new Map<string, SeenFile>();

  constructor(path: string) {
    this.path = path;
  }

  /** Removes the temporary files that a killed process left. */
  async removeTemporaries(): Promise<void> {
    for (const name of await namesIn(this.path)) {
      const of = nameOfTemporary(name);
      if (of === undefined || (of !== LATEST && of !== BEST && stepOfName(of) === undefined)) continue;
      // What cannot be removed is in nobody's way.
      await unlink(join(this.path, name)).catch(() => undefined);
    }
  }

  /** Looks at all files again. The one that the link `best` leads to counts as evaluated. */
  async survey(): Promise<void> {
    const linked = await readlink(join(this.path, BEST)).catch(() => undefined);
    const seen = new Map<string, SeenFile>();
    for (const name of await namesIn(this.path)) {
      const file = stepOfName(name) === undefined ? undefined : await this.#look(name, name === linked);
      if (file !== undefined) seen.set(name, file);
    }
    this.#seen = seen;
  }

  /** The file as it is now, if it is there and can be used. */
  async find(name: string): Promise<UsableFile | undefined> {
    return (await this.#look(name, false))?.usable;
  }

  /** A file has just been written. */
  async add(file: UsableFile): Promise<void> {
    this.#seen.set(file.name, { mark: await markOf(join(this.path, file.name)), usable: file });
  }

  /** Of those that were evaluated, the one with the fewest errors, and of equals the earliest. */
  best(): UsableFile | undefined {
    const evaluated = this.#usable().filter(({ errors }) => errors !== undefined);
    return evaluated.sort((a, b) => a.errors! - b.errors! || a.step - b.step)[0];
  }

  /** Renames what is in a checkpoint's place and cannot be used: somebody may miss it. */
  async setAside(name: string): Promise<void> {
    const file = await this.#look(name, false);
    if (file !== undefined && file.usable === undefined) {
      const path = join(this.path, name);
      await rename(path, `${path}.refused-${Date.now()}`);
    }
  }

  /**
   * Lets `latest` and `best` lead where they should.
   *
   * @throws when one of them cannot be made, after the other was tried
   */
  async link(latest: string): Promise<void> {
    const best = this.best();
    const results = await Promise.allSettled([
      replaceLink(join(this.path, LATEST), latest),
      best === undefined ? undefined : replaceLink(join(this.path, BEST), best.name),
    ]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /**
   * Removes usable checkpoints but for the `keep` newest, the best, and the one just written.
   *
   * @throws when one of them cannot be removed, after all others were
   */
  async removeOlder(keep: number, written: string): Promise<void> {
    const newest = this.#usable().sort((a, b) => b.step - a.step);
    const kept = new Set([...newest.slice(0, keep).map(({ name }) => name), this.best()?.name, written]);
    const older = newest.filter(({ name }) => !kept.has(name));
    const results = await Promise.allSettled(older.map(({ name }) => this.#remove(name)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #remove(name: string): Promise<void> {
    const path = join(this.path, name);
    // Whatever has taken its place since it was read stays.
    if ((await markOf(path).catch(() => undefined)) === this.#seen.get(name)?.mark) await rm(path, { force: true });
    this.#seen.delete(name);
  }

  #usable(): UsableFile[] {
    return [...this.#seen.values()].flatMap(({ usable }) => usable ?? []);
  }

  async #look(name: string, isBest: boolean): Promise<SeenFile | undefined> {
    const path = join(this.path, name);
    let mark: string;
    try {
      mark = await markOf(path);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    }
    const known = this.#seen.get(name);
    if (known?.mark === mark) return known;
    const seen = { mark, usable: await usableFile(path, name, isBest) };
    this.#seen.set(name, seen);
    return seen;
  }
}

/**
 * Reads the checkpoint at a path, which must be the one that its name says.
 *
 * @throws LockstepError `refused`
 */
export async function readNamed(path: string, name: string): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(path);
  if (checkpointName(checkpoint.step) === name) return checkpoint;
  const message = `${path} holds step ${checkpoint.step}, not the one of its name; rename it`;
  throw new LockstepError("refused", message);
}

/** @returns none for a folder that does not exist */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function usableFile(path: string, name: string, isBest: boolean): Promise<UsableFile | undefined> {
  try {
    // We write no links of such a name: this one is somebody's own.
    if ((await lstat(path)).isSymbolicLink()) return undefined;
    const checkpoint = await readNamed(path, name);
    const { step, progress } = checkpoint;
    const isEvaluated = isBest || isJustEvaluated(checkpoint);
    const { evaluatedEpochs } = progress;
    return { name, step, evaluatedEpochs, errors: isEvaluated ? decidingErrors(progress) : undefined };
  } catch (error) {
    if (error instanceof LockstepError) return undefined;
    throw error;
  }
}

/** Of the file itself, or of the link that stands in its place. */
async function markOf(path: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await lstat(path);
  return [ino, size, mtimeMs, ctimeMs].join(" ");
}

/** In one move, so that the link is never missing. Whatever else has its name is left alone. */
async function replaceLink(path: string, target: string): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && !found.isSymbolicLink()) throw new Error("there is something else of this name");
    if (found !== undefined && (await readlink(path)) === target) return;
    await symlink(target, temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new Error(`cannot make the link ${path} to ${target}: ${messageOf(error)}`, { cause: error });
  }
}
