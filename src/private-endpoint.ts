import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A path longer than this does not fit into a socket's address (sun_path in unix(7)), with some to spare. */
const MAX_SOCKET_PATH = 100;

export interface PrivateEndpoint {
  readonly address: string;
  /** Removes what was made for it. */
  remove(): void;
}

/**
 * An address that only this user can connect to: a socket in a folder of its own. Where there can be none (Windows, a
 * temporary folder that is missing or has a long name), a free port of the loopback address.
 */
export function privateEndpoint(): PrivateEndpoint {
  const loopback = { address: "tcp://127.0.0.1:*", remove: () => {} };
  if (process.platform === "win32" || join(tmpdir(), "lockstep-XXXXXX", "coordinator").length > MAX_SOCKET_PATH) {
    return loopback;
  }
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), "lockstep-"));
  } catch {
    return loopback;
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  return {
    address: `ipc://${join(folder, "coordinator")}`,
    remove: () => {
      process.off("exit", remove);
      remove();
    },
  };
}
