/** The bytes of an image: of a file, or of what is piped in. */

import { readFile, stat } from "node:fs/promises";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { formatCount } from "../shared/format.ts";
import { MAX_FILE_BYTES } from "./decode-file.ts";
import { refused } from "./image-limits.ts";

/** What may be piped in: `process.stdin` is such a thing. */
export type PipedIn = AsyncIterable<Uint8Array> & { readonly isTTY?: boolean | undefined };

/** @throws LockstepError `refused` when it is not there, no regular file, too large or cannot be read */
export async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw refused(path, `is a folder; name the images in it: ${path.replace(/\/+$/, "")}/*`);
    // A pipe or a device may never end, and reading it could not be interrupted.
    if (!found.isFile()) throw refused(path, "is not a regular file; pipe it in, and name it -");
    if (found.size > MAX_FILE_BYTES) throw tooLarge(path, formatCount(found.size));
    return await readFile(path);
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    if (systemCode(error) === "ENOENT") throw refused(path, "does not exist; check the name");
    throw refused(path, `cannot be read: ${messageOf(error)}`, error);
  }
}

/** @throws LockstepError `refused` when it is a terminal, or more than a file may have */
export async function readPipedImage(stdin: PipedIn): Promise<Uint8Array> {
  if (stdin.isTTY === true) throw refused("stdin", "is a terminal; pipe an image in: ... | lockstep predict -");
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > MAX_FILE_BYTES) throw tooLarge("stdin", `more than ${formatCount(MAX_FILE_BYTES)}`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(where: string, bytes: string): LockstepError {
  return refused(where, `has ${bytes} bytes; allowed: ${formatCount(MAX_FILE_BYTES)}; make it smaller`);
}
