import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { LockstepError, messageOf, systemCode } from "../errors.ts";
import { type KeyPair, keyPairOf } from "./key-pair.ts";
import { publicKeysOf, type PublicKey, secretKeyOf } from "./key-text.ts";

/** Reads and writes the files of keys. A key file is never overwritten. */

/** Far more than any list of keys: an option that names something else should say so, not fill the memory. */
const MAX_BYTES = 4_000_000;

export interface SecretKeyFile extends KeyPair {
  /** A sentence: who else can read the file; undefined where nobody can. */
  readonly warning: string | undefined;
}

/**
 * @param option what names the file, for sentences: `--key`
 * @throws LockstepError "usage" where it cannot be read, or holds no secret key
 */
export function readSecretKey(path: string, option: string): SecretKeyFile {
  const { content, mode } = read(path, option);
  const found = secretKeyOf(content);
  if ("problem" in found) throw refused(path, option, found.problem);
  return { ...keyPairOf(found.hex), warning: warningAbout(path, mode) };
}

/**
 * Public keys, at least one.
 * @throws LockstepError "usage" where they cannot be read, or one is not a key
 */
export function readPublicKeys(path: string, option: string): readonly PublicKey[] {
  const found = publicKeysOf(read(path, option).content);
  if ("problem" in found) throw refused(path, option, found.problem);
  if (found.keys.length === 0) throw refused(path, option, "holds no public key");
  return found.keys;
}

/**
 * The same of a list that is read again: one that has comments alone was emptied on purpose; a file without anything may be
 * half written.
 */
export function rereadPublicKeys(path: string, option: string): readonly PublicKey[] {
  const { content } = read(path, option);
  const found = publicKeysOf(content);
  if ("problem" in found) throw refused(path, option, found.problem);
  if (content.trim() === "") throw refused(path, option, "is empty; a comment in it would say that nobody may join");
  return found.keys;
}

/**
 * Makes a file, and its folder, unless there is one.
 * @returns whether it was made
 * @throws LockstepError "failed" where it cannot be
 */
export function writeNewFile(path: string, content: string, mode: number): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, "wx", mode);
    try {
      // Whatever the umask takes away, the owner is to read it; what it would leave to others of a secret is not given.
      fchmodSync(file, mode);
      writeFileSync(file, content, { flush: true });
    } finally {
      closeSync(file);
    }
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "EEXIST") return false;
    throw new LockstepError("failed", `cannot write ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function read(path: string, option: string): { content: string; mode: number } {
  let file: number | undefined;
  try {
    // Not even opened: whoever opens a named pipe may wait for ever, and a device may never end.
    if (!statSync(path).isFile()) throw refused(path, option, "is no regular file");
    file = openSync(path, "r");
    const { mode, size } = fstatSync(file);
    if (size > MAX_BYTES) throw refused(path, option, `has ${size} bytes, which is no file of keys`);
    return { content: readFileSync(file, "utf8"), mode };
  } catch (thrown) {
    if (thrown instanceof LockstepError) throw thrown;
    const missing = systemCode(thrown) === "ENOENT";
    const what = missing ? "does not exist: lockstep keygen makes keys" : `cannot be read: ${messageOf(thrown)}`;
    throw refused(path, option, what);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A group may be meant to read it, as in Kubernetes; everybody never is. */
const OTHERS_READ = 0o004;

function warningAbout(path: string, mode: number): string | undefined {
  if (process.platform === "win32" || (mode & OTHERS_READ) === 0) return undefined;
  return `every user of this machine can read the secret key in ${path}: chmod 600 ${path}`;
}

const refused = (path: string, option: string, what: string): LockstepError =>
  new LockstepError("usage", `${option} ${path} ${what}`);
