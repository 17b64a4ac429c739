import { AllowList } from "./allow-list.ts";
import { readPublicKeys, readSecretKey } from "./key-files.ts";
import type { KeyPair } from "./key-pair.ts";
import type { PublicKey } from "./key-text.ts";

/** The keys that the options of a command name, read. */

/** What an end that others connect to needs. */
export interface ListenerKeys {
  readonly pair: KeyPair;
  readonly allow: AllowList;
}

/** What an end that connects needs. */
export interface ConnectionKeys {
  readonly pair: KeyPair;
  /** Whom it may find there: each is tried in turn. At least one. */
  readonly coordinators: readonly PublicKey[];
}

/**
 * @param warn gets a sentence about a secret that others can read
 * @returns undefined where the options name no keys
 * @throws LockstepError "usage" where a file is not what it should be
 */
export function listenerKeys(
  { key, allow }: { readonly key?: string; readonly allow?: string },
  warn: (text: string) => void,
): ListenerKeys | undefined {
  if (key === undefined || allow === undefined) return undefined;
  return { pair: secretKey(key, warn), allow: new AllowList(allow, "--allow") };
}

/** The same for an end that connects. */
export function connectionKeys(
  { key, coordinatorKey }: { readonly key?: string; readonly coordinatorKey?: string },
  warn: (text: string) => void,
): ConnectionKeys | undefined {
  if (key === undefined || coordinatorKey === undefined) return undefined;
  return { pair: secretKey(key, warn), coordinators: readPublicKeys(coordinatorKey, "--coordinator-key") };
}

function secretKey(path: string, warn: (text: string) => void): KeyPair {
  const { warning, ...pair } = readSecretKey(path, "--key");
  if (warning !== undefined) warn(warning);
  return pair;
}
