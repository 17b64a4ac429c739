import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { LockstepError } from "../errors.ts";

const IPC = "ipc://";

/**
 * Makes sure that binding an ipc address does no harm: libzmq removes whatever has the path's name first, be it somebody's
 * file or the socket of a coordinator that is running.
 *
 * @throws LockstepError when the path is taken
 */
export async function claimIpcPath(address: string): Promise<void> {
  if (!address.startsWith(IPC)) return;
  const path = address.slice(IPC.length);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const message = `cannot listen on ${address}: there is a file or folder of that name; choose another path`;
    throw new LockstepError("usage", message);
  }
  if (await isAnswered(path)) {
    const message = `cannot listen on ${address}: something else listens there; stop it, or choose another path`;
    throw new LockstepError("failed", message);
  }
}

/** Removes the socket of an address that is no longer listened on. */
export function releaseIpcPath(address: string): void {
  if (address.startsWith(IPC)) rmSync(address.slice(IPC.length), { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
