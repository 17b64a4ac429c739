import { setTimeout as delay } from "node:timers/promises";
import { type Observer, Router } from "zeromq";
import { LockstepError, messageOf, systemCode } from "../errors.ts";
import type { ListenerKeys } from "../keys/endpoint-keys.ts";
import type { Frames } from "../protocol/codec.ts";
import { checkFrames, KnownChecksums, withChecksums } from "./frame-checksums.ts";
import { claimIpcPath, releaseIpcPath } from "./ipc-path.ts";
import { type CoordinatorHandlers, type CoordinatorTransport, FRESH_MEMORY, type PeerId } from "./transport.ts";
import { Door } from "./zmq-door.ts";
import { messagesOf, needsChecksums, observe, requireCurve, SOCKET_OPTIONS } from "./zmq-socket.ts";

/** The end that others connect to: a ROUTER socket. */

/** A port that was listened on is free again within moments. */
const REBIND_EVERY_MS = 20;
const REBIND_TIMEOUT_MS = 10_000;
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
        onRemoved: () => void this.#reopen(),
      });
    }
    const socket = this.#newSocket();
    await socket.bind(this.#address);
    this.#isBound = true;
    this.#address = socket.lastEndpoint ?? this.#address;
  }

  #newSocket(): Router {
    const socket = new Router({ ...SOCKET_OPTIONS, mandatory: true, ...this.#door?.socketOptions });
    this.#socket = socket;
    if (this.#door !== undefined) void this.#watch(observe(socket));
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

  /** Those whom libzmq itself turns away; whom the list does not have, the door tells of. */
  async #watch(events: Observer): Promise<void> {
    for await (const event of events) {
      if (event.type !== "handshake:error:protocol") continue;
      const came =
        event.error.code === "ERR_ZMTP_MECHANISM_MISMATCH" ? "without keys" : "with another key for this end";
      this.#handlers?.onRefused?.(`somebody came ${came}`);
    }
  }

  /** Ends all connections: who is still welcome comes back within seconds. libzmq cannot end a single one. */
  async #reopen(): Promise<void> {
    const [old, handlers] = [this.#socket, this.#handlers];
    if (this.#isClosed || old === undefined) return;
    await old.unbind(this.#address).catch(() => {});
    old.close();
    const socket = this.#newSocket();
    const deadline = Date.now() + REBIND_TIMEOUT_MS;
    for (;;) {
      try {
        await socket.bind(this.#address);
        break;
      } catch (thrown) {
        if (this.#isClosed) return;
        if (Date.now() > deadline) {
          handlers?.onRefused?.(messageOf(cannotListen(this.#address, thrown)));
          return;
        }
        await delay(REBIND_EVERY_MS);
      }
    }
    if (handlers !== undefined) void this.#receive(socket, handlers);
  }

  send(peer: PeerId, frames: Frames): void {
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    const known = this.#checksums;
    const message = known === undefined ? frames : withChecksums(frames, (frame) => known.of(frame));
    socket.send([Buffer.from(peer, "hex"), ...message]).catch(() => {
      // Either the connection is gone (EHOSTUNREACH) or the peer has stopped reading (EAGAIN).
      if (!this.#isClosed) this.#handlers?.onUnreachable(peer);
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#socket?.close();
    this.#door?.close();
    if (this.#isBound) releaseIpcPath(this.#address);
    this.#isBound = false;
    return Promise.resolve();
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
