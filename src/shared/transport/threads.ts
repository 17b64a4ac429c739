import { MessageChannel, type MessagePort } from "node:worker_threads";
import { invariant } from "../errors.ts";
import type { Frames } from "../protocol/codec.ts";
import { addUser, removeUser, SharedPool } from "./shared-pool.ts";
import type { CoordinatorHandlers, CoordinatorTransport, PayloadMemory, PeerId, WorkerTransport } from "./transport.ts";

/**
 * How long after a message to a connection that is gone that is told. A thread's end, which says why, is known sooner,
 * though not always before its port has closed.
 */
const UNREACHABLE_MS = 250;

/**
 * The transport between threads of one process: headers are copied through a MessagePort, vectors stay where they are, in
 * memory that both sides see.
 */
export class ThreadNetwork {
  readonly #ports = new Map<PeerId, MessagePort>();
  readonly #memory = new SharedPool();
  #handlers: CoordinatorHandlers | undefined;
  #opened = 0;
  #closed = false;

  /** Makes a worker's connection. @returns the coordinator's name for it, and the end to hand to the worker's thread */
  open(): { readonly peer: PeerId; readonly port: MessagePort } {
    this.#opened += 1;
    const peer = `thread-${this.#opened}`;
    const { port1: ours, port2: theirs } = new MessageChannel();
    if (this.#closed) ours.close();
    this.#ports.set(peer, ours);
    ours.once("close", () => this.#ports.delete(peer));
    if (this.#handlers !== undefined) this.#receive(peer, ours, this.#handlers);
    return { peer, port: theirs };
  }

  /** The coordinator's end. */
  listen(): CoordinatorTransport {
    return {
      address: "thread:",
      memory: this.#memory,
      start: (handlers) => {
        invariant(this.#handlers === undefined, "a network of threads has one coordinator");
        this.#handlers = handlers;
        for (const [peer, port] of this.#ports) this.#receive(peer, port, handlers);
      },
      send: (peer, frames) => {
        if (this.#closed) return;
        const port = this.#ports.get(peer);
        if (port !== undefined) post(port, frames);
        else setTimeout(() => !this.#closed && this.#handlers?.onUnreachable(peer), UNREACHABLE_MS).unref();
      },
      close: () => {
        this.#closed = true;
        for (const port of this.#ports.values()) port.close();
        return Promise.resolve();
      },
    };
  }

  #receive(peer: PeerId, port: MessagePort, handlers: CoordinatorHandlers): void {
    receive(port, (frames) => !this.#closed && handlers.onMessage(peer, frames));
  }
}

/** A worker's end of a connection. */
export function connectThread(port: MessagePort): WorkerTransport {
  return new ThreadWorkerTransport(port);
}

class ThreadWorkerTransport implements WorkerTransport {
  readonly memory: PayloadMemory = new SharedPool();
  readonly #port: MessagePort;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  start(onMessage: (frames: Frames) => void): void {
    receive(this.#port, (frames) => !this.#closed && onMessage(frames));
  }

  send(frames: Frames): void {
    if (!this.#closed) post(this.#port, frames);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#port.close();
    return Promise.resolve();
  }
}

function post(port: MessagePort, frames: Frames): void {
  for (const frame of frames) addUser(frame);
  // A view of shared memory is sent as such; of any other, its bytes alone are copied, not the buffer around them.
  port.postMessage(frames.map((frame) => (isView(frame) ? frame.slice() : frame)));
}

const isView = ({ buffer, byteLength }: Uint8Array): boolean =>
  !(buffer instanceof SharedArrayBuffer) && buffer.byteLength !== byteLength;

function receive(port: MessagePort, take: (frames: Frames) => void): void {
  port.on("message", (frames: Frames) => {
    take(frames);
    for (const frame of frames) removeUser(frame);
  });
}
