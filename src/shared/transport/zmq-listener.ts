import { setTimeout as delay } from "node:timers/promises";
import { Router } from "zeromq";
import { LockstepError, messageOf, systemCode } from "../errors.ts";
import type { ListenerKeys } from "../keys/endpoint-keys.ts";
import type { Frames } from "../protocol/codec.ts";
import { checkFrames, KnownChecksums, withChecksums } from "./frame-checksums.ts";
import { claimIpcPath, releaseIpcPath } from "./ipc-path.ts";
import { type CoordinatorHandlers, type CoordinatorTransport, FRESH_MEMORY, type PeerId } from "./transport.ts";
import { Door } from "./zmq-door.ts";
import { familyOf, HEARTBEATS, messagesOf, needsChecksums, requireCurve, SOCKET_OPTIONS } from "./zmq-socket.ts";

/** The end that others connect to: a ROUTER socket. */

/** A port that was listened on is free again within moments. */
const REBIND_EVERY_MS = 20;
const TELL_AFTER_MS = 10_000;
/**
 * Binds a ROUTER socket.
 * @param address `tcp://HOST:PORT`, `tcp://HOST:*` for a free port, or `ipc://PATH`
 * @param keys without them anyone who can reach the address can connect
 * @throws LockstepError when the address cannot be bound
 */
export async function listenZmq(address: string, keys?: ListenerKeys): Promise<CoordinatorTransport> {
  await claimIpcPath(address);
  const transport = new ZmqCoordinatorTransport(address);
  try {
    await transport.open(keys);
  } catch (thrown) {
    await transport.close();
    throw thrown instanceof LockstepError ? thrown : cannotListen(address, thrown);
  }
  return transport;
}

class ZmqCoordinatorTransport implements CoordinatorTransport {
  readonly memory = FRESH_MEMORY;
  #address: string;
  #socket: Router | undefined;
  #door: Door | undefined;
  /** A slice of the model goes to all workers. */
  #checksums: KnownChecksums | undefined;
  #handlers: CoordinatorHandlers | undefined;
  #isBound = false;
  #isClosed = false;
  /** Whether somebody may be connected whose key is in the list no more. */
  #isStale = false;
  #reopening: Promise<void> | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  get address(): string {
    return this.#address;
  }

  async open(keys: ListenerKeys | undefined): Promise<void> {
    if (needsChecksums(this.#address, keys)) this.#checksums = new KnownChecksums();
    if (keys !== undefined) {
      requireCurve();
      this.#door = await Door.open(keys, {
        onRefused: (reason) => this.#handlers?.onRefused?.(reason),
        onRemoved: () => this.#endConnections(),
      });
    }
    const socket = this.#newSocket();
    await socket.bind(this.#address);
    this.#isBound = true;
    this.#address = socket.lastEndpoint ?? this.#address;
    if (this.#isStale) this.#endConnections();
  }

  /** Once for all keys that are taken away meanwhile, and never while the socket is being bound. */
  #endConnections(): void {
    this.#isStale = true;
    if (!this.#isBound) return;
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
  }

  #newSocket(): Router {
    const socket = new Router({
      ...SOCKET_OPTIONS,
      ...familyOf(this.#address),
      mandatory: true,
      // With keys only those who were let in can send. Without, it is the peers that ask, and their silence is mostly noticed:
      // a message that follows the last question puts libzmq's alarm off. What a frozen worker owes is given to others anyway.
      ...(this.#door === undefined ? {} : HEARTBEATS),
      ...this.#door?.socketOptions,
    });
    this.#socket = socket;
    return socket;
  }

  start(handlers: CoordinatorHandlers): void {
    this.#handlers = handlers;
    if (this.#socket !== undefined) void this.#receive(this.#socket, handlers);
  }

  async #receive(socket: Router, handlers: CoordinatorHandlers): Promise<void> {
    for await (const [peer, ...frames] of messagesOf(socket)) {
      if (socket.closed) return;
      if (peer === undefined) continue;
      const id = peer.toString("hex");
      const checked = this.#checksums === undefined ? { frames } : checkFrames(frames);
      if ("problem" in checked) handlers.onDamaged(id, checked.problem);
      else handlers.onMessage(id, checked.frames);
    }
  }

  /** Ends all connections: who is still welcome comes back within seconds. libzmq cannot end a single one. */
  async #reopen(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      // Not `unbind` first: a socket that is being unbound fails whoever receives from it.
      if (this.#socket !== undefined) this.#socket.linger = 0;
      this.#socket?.close();
      await this.#bindAgain(this.#newSocket());
    }
  }

  /** Tries until the port is free again: without it nobody could ever come back. */
  async #bindAgain(socket: Router): Promise<void> {
    const since = Date.now();
    let isTold = false;
    while (!this.#isClosed) {
      try {
        await socket.bind(this.#address);
        if (this.#handlers !== undefined) void this.#receive(socket, this.#handlers);
        return;
      } catch (thrown) {
        if (!isTold && Date.now() - since > TELL_AFTER_MS) {
          isTold = true;
          this.#handlers?.onRefused?.(messageOf(cannotListen(this.#address, thrown)));
        }
      }
      await delay(REBIND_EVERY_MS);
    }
  }

  send(peer: PeerId, frames: Frames): void {
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    const known = this.#checksums;
    const message = known === undefined ? frames : withChecksums(frames, (frame) => known.of(frame));
    void this.#deliver(socket, peer, [Buffer.from(peer, "hex"), ...message]);
  }

  async #deliver(socket: Router, peer: PeerId, message: Uint8Array[]): Promise<void> {
    try {
      await socket.send(message);
    } catch {
      // Either the connection is gone (EHOSTUNREACH, or EBUSY while the socket is bound anew, which `send` throws at once)
      // or the peer has stopped reading (EAGAIN).
      if (!this.#isClosed) this.#handlers?.onUnreachable(peer);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#socket?.close();
    this.#door?.close();
    if (this.#isBound) releaseIpcPath(this.#address);
    this.#isBound = false;
    await this.#reopening;
  }
}

function cannotListen(address: string, thrown: unknown): LockstepError {
  const code = systemCode(thrown);
  const advice: Record<string, string> = {
    EADDRINUSE: "something else listens there: stop it, or choose another port (tcp://127.0.0.1:* takes a free one)",
    EADDRNOTAVAIL: "this machine has no such address: name one of its own, or 0.0.0.0 for all of them",
    EACCES: "permission denied: choose a port above 1023, or a folder that you may write to",
    ENODEV: "this machine has no such network interface: name an IP address, or 0.0.0.0 for all of them",
    ENOENT: "the folder of the ipc path does not exist: create it first",
  };
  return new LockstepError("failed", `cannot listen on ${address}: ${advice[code] ?? messageOf(thrown)}`, {
    cause: thrown,
  });
}
