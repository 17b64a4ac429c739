import { createHash, timingSafeEqual } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { LockstepError, messageOf, systemCode } from "./errors.ts";

/**
 * The secret that whoever reads the metrics must know: the contents of a file, which is read again when it changes. It is
 * kept as its hash, so that no dump of this program's objects has it.
 */

/** Shorter ones can be guessed. */
const MIN_CHARACTERS = 16;
const MAX_BYTES = 4_096;
/** What may stand in a header, and has no space. */
const TOKEN = /^[!-~]+$/;
const HOW_TO_MAKE = "make one with: openssl rand -hex 32";

export class AccessToken {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  #stamp: string;
  #hash: Buffer;
  #problem: string | undefined;

  /**
   * @param path as `--metrics-token-file` names it
   * @param warn is told, as a sentence, when others can read the file, and when it cannot be read any more
   * @throws LockstepError "usage" when there is no token in it
   */
  constructor(path: string, warn: (message: string) => void) {
    this.#path = path;
    this.#warn = warn;
    this.#stamp = stampOf(path);
    this.#hash = this.#read();
  }

  /**
   * Whether a request may pass: it shows the token as `Bearer TOKEN`, or as the password of `Basic`, with any name, as
   * browsers do (RFC 6750, RFC 7617). Takes as long for a wrong one as for the right one.
   *
   * @param authorization the request's header
   */
  accepts(authorization: string | undefined): boolean {
    this.#refresh();
    return timingSafeEqual(sha256(shownToken(authorization)), this.#hash);
  }

  /** A token can be changed while a run goes on: whoever wrote half of it has until the next request. */
  #refresh(): void {
    const stamp = stampOf(this.#path);
    if (stamp === this.#stamp) return;
    try {
      this.#hash = this.#read();
      this.#stamp = stamp;
      this.#problem = undefined;
    } catch (thrown) {
      const problem = messageOf(thrown);
      if (problem !== this.#problem) this.#warn(`${problem}; the token that it held before still counts`);
      this.#problem = problem;
    }
  }

  #read(): Buffer {
    const { text, isOpen } = readFile(this.#path);
    const token = text.trim();
    const refuse = (what: string): never => {
      throw new LockstepError("usage", `--metrics-token-file ${this.#path} ${what}: ${HOW_TO_MAKE}`);
    };
    if (token === "") refuse("is empty");
    if (token.length < MIN_CHARACTERS) refuse(`has ${token.length} characters, at least ${MIN_CHARACTERS} are needed`);
    if (!TOKEN.test(token)) refuse("holds more than one word of letters, digits and signs");
    if (isOpen) this.#warn(`anyone on this machine can read the token in ${this.#path}: chmod 600 it`);
    return sha256(token);
  }
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

function shownToken(authorization = ""): string {
  const [, scheme = "", value = ""] = /^(Bearer|Basic) +([!-~]+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== "basic") return value;
  const named = Buffer.from(value, "base64").toString();
  return named.slice(named.indexOf(":") + 1);
}

function readFile(path: string): { readonly text: string; readonly isOpen: boolean } {
  let file: number | undefined;
  try {
    // Whoever opens a named pipe may wait for ever.
    if (!statSync(path).isFile()) throw new Error("it is no regular file");
    file = openSync(path, "r");
    const stats = fstatSync(file);
    const bytes = Buffer.alloc(MAX_BYTES);
    const length = readSync(file, bytes);
    if (length === MAX_BYTES) throw new Error(`it has ${stats.size} bytes, which is more than any token has`);
    return { text: bytes.toString("utf8", 0, length), isOpen: (stats.mode & 0o004) !== 0 };
  } catch (thrown) {
    const message = `--metrics-token-file ${path} cannot be read: ${messageOf(thrown)}`;
    throw new LockstepError("usage", message, { cause: thrown });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Changes with the file, also where another one takes its place. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (thrown) {
    return systemCode(thrown);
  }
}
