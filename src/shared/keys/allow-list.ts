import { statSync } from "node:fs";
import { messageOf, systemCode } from "../errors.ts";
import { readPublicKeys, rereadPublicKeys } from "./key-files.ts";
import type { PublicKey } from "./key-text.ts";

/** What has become of a list since it was last looked at. */
export type ListNews =
  | { readonly type: "same" }
  | { readonly type: "changed"; readonly removed: readonly PublicKey[] }
  /** It cannot be read any more: what was read last still counts. */
  | { readonly type: "unreadable"; readonly problem: string };

/**
 * Those who may come in, by their public keys: a file that is read anew whenever it has changed, so that a key is added or
 * removed while a run goes on.
 */
export class AllowList {
  readonly path: string;
  readonly #option: string;
  #stamp: string;
  #keys: ReadonlyMap<string, PublicKey>;
  #problem: string | undefined;

  /** @throws LockstepError "usage" where the file cannot be read, or holds no key */
  constructor(path: string, option: string) {
    this.path = path;
    this.#option = option;
    this.#stamp = stampOf(path);
    this.#keys = byHex(readPublicKeys(path, option));
  }

  /** The entry of a key; undefined for a stranger's. Public keys are no secret: how long this takes tells nothing. */
  find(hex: string): PublicKey | undefined {
    return this.#keys.get(hex);
  }

  /** Reads the file again if it has changed. Never throws: a file that is half written is read once it is whole. */
  refresh(): ListNews {
    const stamp = stampOf(this.path);
    if (stamp === this.#stamp) {
      this.#problem = undefined;
      return { type: "same" };
    }
    try {
      const keys = byHex(rereadPublicKeys(this.path, this.#option));
      const removed = [...this.#keys.values()].filter(({ hex }) => !keys.has(hex));
      [this.#keys, this.#stamp, this.#problem] = [keys, stamp, undefined];
      return { type: "changed", removed };
    } catch (thrown) {
      // It is tried again each time, and told once.
      const problem = messageOf(thrown);
      if (problem === this.#problem) return { type: "same" };
      this.#problem = problem;
      return { type: "unreadable", problem };
    }
  }
}

const byHex = (keys: readonly PublicKey[]): ReadonlyMap<string, PublicKey> =>
  new Map(keys.map((key) => [key.hex, key]));

/** Changes with the file: a new one that took its place has another inode. Never throws. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (thrown) {
    return systemCode(thrown);
  }
}
