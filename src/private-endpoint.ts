import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { systemCode } from "./shared/errors.ts";

/** A path longer than this does not fit into a socket's address (sun_path in unix(7)), with some to spare. */
const MAX_SOCKET_PATH = 100;
const SOCKET = "coordinator";

export interface PrivateEndpoint {
  readonly address: string;
  /** Removes what was made for it. */
  remove(): void;
}

/**
 * An address that only this user can connect to: a socket in a folder of its own. Where there can be none (Windows, a
 * temporary folder that is missing or has a long name), a free port of the loopback address. What processes that were
 * killed have left of theirs is removed.
 */
export function privateEndpoint(): PrivateEndpoint {
  const loopback = { address: "tcp://127.0.0.1:*", remove: () => {} };
  if (process.platform === "win32") return loopback;
  const prefix = join(tmpdir(), `${placePrefix()}${process.pid}-`);
  if (join(`${prefix}XXXXXX`, SOCKET).length > MAX_SOCKET_PATH) return loopback;
  removeLeftOvers();
  let folder: string;
  try {
    folder = mkdtempSync(prefix);
  } catch {
    return loopback;
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  return {
    address: `ipc://${join(folder, SOCKET)}`,
    remove: () => {
      process.off("exit", remove);
      remove();
    },
  };
}

/**
 * How the names of such folders begin where process ids mean what they mean here: a temporary folder may be shared with
 * containers and other machines, whose living processes look dead from here.
 */
function placePrefix(): string {
  let pidNamespace = "";
  try {
    pidNamespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // Only Linux has them.
  }
  return `lockstep-${createHash("sha256").update(`${hostname()} ${pidNamespace}`).digest("hex").slice(0, 8)}-`;
}

/** Removes this user's folders of processes that are dead. Never throws. */
function removeLeftOvers(): void {
  try {
    const prefix = placePrefix();
    for (const name of readdirSync(tmpdir())) {
      const [, pid] = /^(\d+)-\w{6}$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "") ?? [];
      if (pid === undefined || isAlive(Number(pid))) continue;
      const folder = join(tmpdir(), name);
      const { uid } = lstatSync(folder);
      if (uid === process.getuid?.()) rmSync(folder, { recursive: true, force: true });
    }
  } catch {
    // Another run tidies up at the same time, or the folder cannot be read: what is left disturbs nobody.
  }
}

/** A process that belongs to somebody else is alive as well, and so is whatever has got the id of a dead one. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCode(thrown) !== "ESRCH";
  }
}
