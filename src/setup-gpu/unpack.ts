/** Takes out of an archive what a libtensorflow is made of. */

import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { extract } from "tar";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { isWanted } from "./wanted-files.ts";

export const ARCHIVE_NAMES = /\.(whl|jar|zip|tar\.gz|tgz)$/;

/**
 * @param archive a .whl, .jar, .tar.gz or .tgz
 * @param folder where its files go; exists
 * @returns how many files were taken out
 * @throws LockstepError ("failed") when the archive is damaged or the disk is full
 */
export async function unpack(archive: string, folder: string): Promise<number> {
  try {
    return await (/\.(tar\.gz|tgz)$/.test(archive) ? unpackTar(archive, folder) : unpackZip(archive, folder));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      throw new LockstepError(
        "failed",
        `no room in ${dirname(folder)} for what is in ${archive}; free some, or name another folder with --cache`,
        { cause: error },
      );
    }
    if (error instanceof LockstepError || /^E(ACCES|PERM|ROFS|NOENT|IO|ISDIR)$/.test(code)) throw error;
    throw new LockstepError("failed", `${archive} is damaged: ${messageOf(error).replace(/\.$/, "")}; get it again`, {
      cause: error,
    });
  }
}

async function unpackTar(archive: string, folder: string): Promise<number> {
  let count = 0;
  await extract({
    file: archive,
    cwd: folder,
    strict: true,
    filter: (path) => {
      if (!isWanted(path)) return false;
      count++;
      return true;
    },
  });
  return count;
}

async function unpackZip(archive: string, folder: string): Promise<number> {
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false });
  let count = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      if (!isWanted(entry.fileName)) continue;
      await unpackEntry(zip, entry, folder);
      count++;
    }
  } finally {
    zip.close();
  }
  return count;
}

async function unpackEntry(zip: ZipFile, entry: Entry, folder: string): Promise<void> {
  const target = join(folder, entry.fileName);
  await mkdir(dirname(target), { recursive: true });
  // The upper half holds Unix permissions: ptxas is a program.
  const isExecutable = ((entry.externalFileAttributes >>> 16) & 0o111) !== 0;
  let sum = 0;
  const summing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(undefined, chunk);
    },
  });
  const output = createWriteStream(target, { mode: isExecutable ? 0o755 : 0o644 });
  await pipeline(await zip.openReadStreamPromise(entry), summing, output);
  if (sum !== entry.crc32) throw new Error(`${entry.fileName} does not have the checksum that the archive names`);
}
