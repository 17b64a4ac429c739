import { MessageChannel, type MessagePort } from "node:worker_threads";
import { invariant } from "../errors.ts";
import { bytesOf, type Frames } from "../protocol/codec.ts";
import { sharedMemory } from "../vector/vector-memory.ts";
import { isShared, SharedPool } from "./shared-pool.ts";
import type {
  CoordinatorHandlers,
  CoordinatorTransport,
  PayloadMemory,
  PeerId,
  WorkerHandlers,
  WorkerTransport,
} from "./transport.ts";

/**
 * How long after a message to a connection that is gone that is told. A thread's end, which says why, is known sooner,
 * though not always before its port has closed.
 */
const UNREACHABLE_MS = 250;

/**
 * The transport between threads of one process: headers are copied through a MessagePort, vectors stay where they are, in
 * memory that both sides see. Nothing is damaged on its way from memory to memory, so there are no checksums.
 */
export class ThreadNetwork {
  readonly #ports = new Map<PeerId, MessagePort>();
  readonly #memory = new SharedPool(sharedMemory());
  #handlers: CoordinatorHandlers | undefined;
  #opened = 0;
  #closed = false;

  /** Makes a worker's connection. @returns the coordinator's name for it, and the end to hand to the worker's thread */
  open(): { readonly peer: PeerId; readonly end: ThreadEnd } {
    this.#opened += 1;
    const peer = `thread-${this.#opened}`;
    const { port1: ours, port2: theirs } = new MessageChannel();
    if (this.#closed) ours.close();
    this.#ports.set(peer, ours);
    ours.once("close", () => this.#ports.delete(peer));
    if (this.#handlers !== undefined) this.#receive(peer, ours, this.#handlers);
    return { peer, end: { port: theirs, memory: this.#memory.vectors.memory } };
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
        if (port !== undefined) post(port, frames, this.#memory);
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
    receive(port, this.#memory, (frames) => !this.#closed && handlers.onMessage(peer, frames));
  }
}

/** A worker's end of a connection, as its thread is given it: the port is to be transferred. */
export interface ThreadEnd {
  readonly port: MessagePort;
  readonly memory: WebAssembly.Memory;
}

/** Connects, in the worker's thread. */
export function connectThread({ port, memory }: ThreadEnd): WorkerTransport {
  return new ThreadWorkerTransport(port, new SharedPool(memory));
}

class ThreadWorkerTransport implements WorkerTransport {
  readonly memory: SharedPool;
  readonly #port: MessagePort;
  #closed = false;

  constructor(port: MessagePort, memory: SharedPool) {
    this.#port = port;
    this.memory = memory;
  }

  start({ onMessage }: Pick<WorkerHandlers, "onMessage">): void {
    receive(this.#port, this.memory, (frames) => !this.#closed && onMessage(frames));
  }

  send(frames: Frames): void {
    if (!this.#closed) post(this.#port, frames, this.memory);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#port.close();
    return Promise.resolve();
  }
}

/** A frame as it passes through a port: its bytes, or where they lie in the memory that both ends share. */
type Passing = Uint8Array | readonly [address: number, floats: number];

function post(port: MessagePort, frames: Frames, memory: PayloadMemory): void {
  const passing = frames.map((frame): Passing => {
    if (isShared(frame)) {
      memory.retain(frame);
      return [frame.byteOffset, frame.byteLength / Float32Array.BYTES_PER_ELEMENT];
    }
    // The bytes alone are to be copied, not the buffer around them.
    return frame.byteLength === frame.buffer.byteLength ? frame : frame.slice();
  });
  port.postMessage(passing);
}

function receive(port: MessagePort, memory: SharedPool, take: (frames: Frames) => void): void {
  port.on("message", (passing: readonly Passing[]) => {
    const frames = passing.map((each) =>
      each instanceof Uint8Array ? each : bytesOf(memory.vectors.at(...each).values),
    );
    take(frames);
    for (const frame of frames) memory.release(frame);
  });
}
