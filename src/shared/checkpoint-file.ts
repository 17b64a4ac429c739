/** Checkpoints on disk. */

import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { LockstepError, messageOf, systemCode } from "./errors.ts";

/** Far more than a checkpoint takes (0.75 MB): a larger file is something else and is not even read. */
const MAX_FILE_BYTES = 64 * 2 ** 20;

/**
 * Writes a checkpoint so that `path` holds either the whole of it or what was there before, even if power fails: to a
 * temporary file beside it, which is then moved over it. The folder must exist.
 *
 * The checkpoint's values are taken before this returns its promise; the caller may change them at once.
 *
 * @throws LockstepError `diverged` when a value is not finite, `failed` when the file cannot be written
 */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const bytes = encodeCheckpoint(checkpoint);
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(4).toString("hex")}.tmp`);
  try {
    await writeDurably(temporary, bytes);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    // Whatever kept the file from being written may keep it from being removed too; the first error tells more.
    await rm(temporary, { force: true }).catch(() => undefined);
    const message = `cannot write the checkpoint ${path}: ${messageOf(error)}; make room, or choose another folder`;
    throw new LockstepError("failed", message, { cause: error });
  }
}

/**
 * Reads a checkpoint.
 *
 * @throws LockstepError `refused` when there is none at this path, or it is damaged or of another format or model
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  return decodeCheckpoint(await readWhole(path), path);
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw refuse(`${path} is a folder; name a checkpoint file in it`);
    // A pipe or a device may never end, and reading it could not be interrupted.
    if (!found.isFile()) throw refuse(`${path} is not a regular file; name a checkpoint that lockstep wrote`);
    if (found.size > MAX_FILE_BYTES) {
      throw refuse(`${path} has ${found.size} bytes, too many for a checkpoint; is it the right file?`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    if (systemCode(error) === "ENOENT") {
      throw refuse(`the checkpoint ${path} does not exist; check the name, checkpoints end in .safetensors`);
    }
    throw refuse(`cannot read the checkpoint ${path}: ${messageOf(error)}`, error);
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the move itself durable. Windows cannot, and needs not, sync folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refuse(message: string, cause?: unknown): LockstepError {
  return new LockstepError("refused", message, cause === undefined ? undefined : { cause });
}
