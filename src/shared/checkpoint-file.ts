/** Checkpoints on disk. */

import { readFile, stat } from "node:fs/promises";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { LockstepError, messageOf, systemCode } from "./errors.ts";
import { replaceFile } from "./whole-file.ts";

/** Far more than a checkpoint takes (1 MB): a larger file is something else and is not even read. */
const MAX_FILE_BYTES = 64 * 2 ** 20;

/** Digits of a step in a file's name, so that names sort as steps do; a longer number has more. */
const STEP_DIGITS = 6;

/** The name of the checkpoint after `step` steps: `step-000938.safetensors`. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(STEP_DIGITS, "0")}.safetensors`;
}

/** The step of a name that `checkpointName` makes; undefined for any other name. */
export function stepOfName(name: string): number | undefined {
  const step = Number(/^step-(\d+)\.safetensors$/.exec(name)?.[1]);
  return Number.isSafeInteger(step) && checkpointName(step) === name ? step : undefined;
}

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
  try {
    await replaceFile(path, bytes);
  } catch (error) {
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

function refuse(message: string, cause?: unknown): LockstepError {
  return new LockstepError("refused", message, cause === undefined ? undefined : { cause });
}
