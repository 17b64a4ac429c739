/** Exported models on disk: whole or not at all, and never in the place of something else unless that is wanted. */

import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { createFileSync, replaceFile } from "../shared/whole-file.ts";
import { TFJS_MODEL_FILE, TFJS_WEIGHTS_FILE, type TfjsModel } from "./tfjs/tfjs-model.ts";

/**
 * Writes a model that is one file.
 *
 * @param isForced replaces a file that is there
 * @throws LockstepError `usage` when something is in the way, `failed` when it cannot be written
 */
export async function writeModelFile(path: string, bytes: Uint8Array, isForced: boolean): Promise<void> {
  if (statOf(path)?.isDirectory() === true) {
    throw new LockstepError("usage", `--out ${path} is a folder; name a file, for example in it`);
  }
  requireParent(path);
  await write(path, bytes, isForced);
}

/**
 * Writes a model of TensorFlow.js into a folder, which is made if it is not there. At any moment the folder holds a whole
 * model, or none, or the one before: `model.json`, which names the weights' file, comes last.
 *
 * @param isForced replaces a model that is there; other files of the folder stay
 * @throws LockstepError `usage` when something is in the way, `failed` when it cannot be written
 */
export async function writeModelFolder(
  folder: string,
  { weightsFile, weights, model }: TfjsModel,
  isForced: boolean,
): Promise<void> {
  const modelPath = join(folder, TFJS_MODEL_FILE);
  const weightsPath = join(folder, weightsFile);
  const found = statOf(folder);
  if (found?.isDirectory() === false) {
    throw new LockstepError(
      "usage",
      `--out ${folder} is a file, but a model for TensorFlow.js is a folder; name another`,
    );
  }
  if (!isForced && statOf(modelPath) !== undefined) throw inTheWay(modelPath);
  requireParent(folder);
  const hadWeights = statOf(weightsPath) !== undefined;
  try {
    if (found === undefined) attempt(folder, () => mkdirSync(folder));
    // The name tells the content: what is there already under it is the same, or half of it.
    await write(weightsPath, weights, true);
    await write(modelPath, model, isForced);
  } catch (error) {
    if (!hadWeights) rmSync(weightsPath, { force: true });
    if (found === undefined) removeIfEmpty(folder);
    throw error;
  }
  for (const name of readdirSync(folder)) {
    if (TFJS_WEIGHTS_FILE.test(name) && name !== weightsFile) rmSync(join(folder, name), { force: true });
  }
}

async function write(path: string, bytes: Uint8Array, isForced: boolean): Promise<void> {
  try {
    if (isForced) await replaceFile(path, bytes);
    else createFileSync(path, bytes);
  } catch (error) {
    if (!isForced && systemCode(error) === "EEXIST") throw inTheWay(path);
    throw cannotWrite(path, error);
  }
}

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It was never made, or somebody else has put something into it.
  }
}

function requireParent(path: string): void {
  const parent = dirname(path);
  if (statOf(parent)?.isDirectory() === true) return;
  throw new LockstepError("usage", `--out ${path} lies in ${parent}, which is not a folder; make it, or name another`);
}

/** What is there, a link's target for a link; undefined for nothing. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw cannotWrite(path, error);
  }
}

const inTheWay = (path: string): LockstepError =>
  new LockstepError("usage", `${path} exists already; choose another place with --out, or replace it with --force`);

const cannotWrite = (path: string, cause: unknown): LockstepError =>
  new LockstepError("failed", `cannot write ${path}: ${messageOf(cause)}; make room, or choose another place`, {
    cause,
  });
