import { Dealer, Router } from "zeromq";
import { LockstepError, messageOf, systemCode } from "../errors.ts";
import type { Frames } from "../protocol/codec.ts";
import { checkFrames, KnownChecksums, withChecksums } from "./frame-checksums.ts";
import { claimIpcPath, releaseIpcPath } from "./ipc-path.ts";
import {
  type CoordinatorHandlers,
  type CoordinatorTransport,
  FRESH_MEMORY,
  type PeerId,
  type WorkerHandlers,
  type WorkerTransport,
} from "./transport.ts";

/**
 * The transport between processes: ROUTER and DEALER sockets of ZeroMQ, over tcp or ipc. Over tcp each message ends with a
 * frame of checksums; over ipc it never leaves this machine's memory.
 */

const SOCKET_OPTIONS = {
  /** A slice is 236 KB: with the kernel's default buffers it would leave in several wake-ups. */
  sendBufferSize: 1_000_000,
  receiveBufferSize: 1_000_000,
  /** Messages per peer. A healthy peer has fewer than ten under way. */
  sendHighWaterMark: 256,
  receiveHighWaterMark: 256,
  /** A send is queued now or fails now: one peer that does not read must not hold up the others. */
  sendTimeout: 0,
  /** How long a closed socket may still deliver what was sent. */
  linger: 500,
  /** Largest frame taken from a peer, in bytes; the peer is disconnected otherwise. */
  maxMessageSize: 1_000_000,
  // Answered by libzmq's own thread, so a worker that computes is not mistaken for a dead one.
  heartbeatInterval: 1_000,
  heartbeatTimeout: 4_000,
  handshakeInterval: 5_000,
};

/**
 * Binds a ROUTER socket.
 * @param address `tcp://HOST:PORT`, `tcp://HOST:*` for a free port, or `ipc://PATH`
 * @throws LockstepError when the address cannot be bound
 */
export async function listenZmq(address: string): Promise<CoordinatorTransport> {
  await claimIpcPath(address);
  const socket = new Router({ ...SOCKET_OPTIONS, mandatory: true });
  try {
    await socket.bind(address);
  } catch (thrown) {
    socket.close();
    throw cannotListen(address, thrown);
  }
  return new ZmqCoordinatorTransport(socket, socket.lastEndpoint ?? address);
}

/** Connects a DEALER socket, now or as soon as someone listens there. */
export function connectZmq(address: string): WorkerTransport {
  const socket = new Dealer({
    ...SOCKET_OPTIONS,
    // Not `immediate`: with it libzmq drops, when the connection ends, what has arrived but was not read yet, such as a
    // "stop" while this worker computes. What is queued for a coordinator that is gone may reach the next one instead:
    // the session in each message tells that it is not meant for it.
    reconnectInterval: 50,
    reconnectMaxInterval: 2_000,
  });
  try {
    socket.connect(address);
  } catch (thrown) {
    socket.close();
    throw new LockstepError("usage", `cannot connect to ${address}: ${messageOf(thrown)}`, { cause: thrown });
  }
  return new ZmqWorkerTransport(socket, address);
}

const hasChecksums = (address: string): boolean => !address.startsWith("ipc:");

class ZmqCoordinatorTransport implements CoordinatorTransport {
  readonly address: string;
  readonly memory = FRESH_MEMORY;
  readonly #socket: Router;
  /** A slice of the model goes to all workers. */
  readonly #checksums: KnownChecksums | undefined;
  #handlers: CoordinatorHandlers | undefined;

  constructor(socket: Router, address: string) {
    this.#socket = socket;
    this.address = address;
    if (hasChecksums(address)) this.#checksums = new KnownChecksums();
  }

  start(handlers: CoordinatorHandlers): void {
    this.#handlers = handlers;
    void this.#receive(handlers);
  }

  async #receive(handlers: CoordinatorHandlers): Promise<void> {
    for await (const [peer, ...frames] of this.#socket) {
      if (this.#socket.closed) return;
      if (peer === undefined) continue;
      const id = peer.toString("hex");
      const checked = this.#checksums === undefined ? { frames } : checkFrames(frames);
      if ("problem" in checked) handlers.onDamaged(id, checked.problem);
      else handlers.onMessage(id, checked.frames);
    }
  }

  send(peer: PeerId, frames: Frames): void {
    if (this.#socket.closed) return;
    const known = this.#checksums;
    const message = known === undefined ? frames : withChecksums(frames, (frame) => known.of(frame));
    this.#socket.send([Buffer.from(peer, "hex"), ...message]).catch(() => {
      // Either the connection is gone (EHOSTUNREACH) or the peer has stopped reading (EAGAIN).
      if (!this.#socket.closed) this.#handlers?.onUnreachable(peer);
    });
  }

  close(): Promise<void> {
    if (!this.#socket.closed) {
      this.#socket.close();
      releaseIpcPath(this.address);
    }
    return Promise.resolve();
  }
}

class ZmqWorkerTransport implements WorkerTransport {
  readonly memory = FRESH_MEMORY;
  readonly #socket: Dealer;
  readonly #address: string;
  readonly #hasChecksums: boolean;
  /** How often it has connected anew. */
  #connection = 0;

  constructor(socket: Dealer, address: string) {
    this.#socket = socket;
    this.#address = address;
    this.#hasChecksums = hasChecksums(address);
  }

  start(handlers: WorkerHandlers): void {
    void this.#receive(handlers);
  }

  async #receive(handlers: WorkerHandlers): Promise<void> {
    for await (const frames of this.#socket) {
      if (this.#socket.closed) return;
      const checked = this.#hasChecksums ? checkFrames(frames) : { frames };
      if ("problem" in checked) {
        this.#connectAnew();
        handlers.onDamaged(checked.problem);
      } else {
        handlers.onMessage(checked.frames);
      }
    }
  }

  /** A stream that has lost its place can go on as a flood of seeming messages: it is left, with what came of it. */
  #connectAnew(): void {
    this.#connection += 1;
    this.#socket.disconnect(this.#address);
    this.#socket.connect(this.#address);
  }

  send(frames: Frames): void {
    if (this.#socket.closed) return;
    const connection = this.#connection;
    this.#socket.send(this.#hasChecksums ? withChecksums(frames) : [...frames]).catch(() => {
      // Either the queue for a coordinator that is away is full, or libzmq has given up the connection for good, as it does
      // after bytes that are no message. What got lost is made good by the protocol: the worker greets again.
      if (!this.#socket.closed && connection === this.#connection) this.#connectAnew();
    });
  }

  close(): Promise<void> {
    this.#socket.close();
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
