/** Archives, unpacked once: each under its name and its checksum, whole or not at all. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, symlinkSync } from "node:fs";
import { rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { inTemporaryFolder } from "./temporary-folder.ts";
import { unpack } from "./unpack.ts";
import { archiveStem } from "./wanted-files.ts";

/** SHA-256 of a file, in hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * Unpacks archives that belong together into one folder of the cache, or finds them there.
 *
 * @param archives the first one, which names the folder, is TensorFlow's
 * @param sums SHA-256 of each
 * @returns the folder
 * @throws LockstepError ("failed")
 */
export async function unpackIntoCache(
  cacheFolder: string,
  archives: readonly string[],
  sums: readonly string[],
  say: (line: string) => void,
): Promise<string> {
  const folder = cachedFolder(cacheFolder, archives, sums);
  if (existsSync(folder)) return folder;
  try {
    await inTemporaryFolder(folder, async (temporary) => {
      for (const archive of archives) {
        say(`Unpacking ${basename(archive)}`);
        const count = await unpack(archive, temporary);
        if (count > 0) continue;
        throw new LockstepError(
          "failed",
          `${archive} has neither a libtensorflow for Linux nor CUDA's libraries in it; see npm run setup:gpu -- --help`,
        );
      }
      linkCompilerLibrary(temporary);
      await rename(temporary, folder);
    });
  } catch (error) {
    // Another process has just put the same there.
    if (["ENOTEMPTY", "EEXIST"].includes(systemCode(error)) && existsSync(folder)) return folder;
    if (error instanceof LockstepError) throw error;
    throw new LockstepError(
      "failed",
      `cannot unpack to ${cacheFolder}: ${messageOf(error)}; name another folder with --cache`,
      { cause: error },
    );
  }
  return folder;
}

/** Where `unpackIntoCache` puts these archives. */
export function cachedFolder(cacheFolder: string, archives: readonly string[], sums: readonly string[]): string {
  const [first = ""] = archives;
  const sum = createHash("sha256")
    .update([...sums].sort().join("\n"))
    .digest("hex");
  return join(cacheFolder, `${archiveStem(basename(first))}-${sum.slice(0, 8)}`);
}

/** All folders in the cache. */
export function cachedFolders(cacheFolder: string): string[] {
  if (!existsSync(cacheFolder)) return [];
  return readdirSync(cacheFolder)
    .filter((name) => !name.startsWith("."))
    .map((name) => join(cacheFolder, name));
}

/** cuDNN looks for the library that compiles kernels in a folder whose name its own package does not have. */
function linkCompilerLibrary(folder: string): void {
  const nvidia = join(folder, "nvidia");
  if (existsSync(join(nvidia, "cuda_nvrtc"))) symlinkSync("cuda_nvrtc", join(nvidia, "nvrtc"));
}
