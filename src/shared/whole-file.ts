/**
 * Files that are there whole or not at all, whenever the process is killed or power fails: what is written goes to a
 * temporary file beside the place first. System errors are passed on as they are.
 */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "./errors.ts";

const TEMPORARY = /^\.(.+)\.[0-9a-f]{8}\.tmp$/;

/** What a folder's sync may answer where the file system has no such thing; its moves are then as durable as they get. */
const CANNOT_SYNC_FOLDERS: readonly string[] = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/** A new name beside `path` for what is to be moved there. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}.tmp`);
}

/** The name for whose sake a temporary file was made, as a killed process leaves one; undefined for any other file. */
export function nameOfTemporary(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[1];
}

/** Writes a file in the place of what was there; once this resolves, it survives a power failure. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // Whatever kept the file from being written may keep it from being removed too; the first error tells more.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Like `replaceFile`, at once. */
export function replaceFileSync(path: string, content: string): void {
  viaTemporary(path, content, (temporary) => renameSync(temporary, path));
}

/** Writes a file where there is none, at once; of several that try at the same time one succeeds. @throws EEXIST */
export function createFileSync(path: string, content: string | Uint8Array): void {
  viaTemporary(path, content, (temporary) => {
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (systemCode(error) === "EEXIST") throw error;
      // Some file systems have no hard links. A process that is killed in this very moment leaves half a file.
      writeFileSync(path, content, { flag: "wx", flush: true });
    }
  });
}

function viaTemporary(path: string, content: string | Uint8Array, put: (temporary: string) => void): void {
  const temporary = temporaryPath(path);
  try {
    const file = openSync(temporary, "wx");
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    put(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Makes the move itself durable. Windows cannot, and needs not, sync folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!CANNOT_SYNC_FOLDERS.includes(systemCode(error))) throw error;
  } finally {
    await handle.close();
  }
}
