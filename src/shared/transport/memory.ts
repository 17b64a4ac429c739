import { invariant } from "../errors.ts";
import type { Frames } from "../protocol/codec.ts";
import {
  type CoordinatorHandlers,
  type CoordinatorTransport,
  FRESH_MEMORY,
  type PeerId,
  type WorkerTransport,
} from "./transport.ts";

/** What the network does with a message: deliver it this many times (0 drops it), after this many deliveries of others. */
export interface Fate {
  readonly copies: number;
  readonly delay: number;
}

export interface Passage {
  readonly direction: "to-coordinator" | "to-worker";
  readonly peer: PeerId;
  readonly frames: Frames;
}

interface InFlight extends Passage {
  delay: number;
}

/**
 * A network within this process, for tests: a coordinator's end and any number of workers' ends. Messages are delivered
 * one at a time from the event loop; `fate` may drop, duplicate or delay each of them.
 */
export class MemoryNetwork {
  readonly #fate: (passage: Passage) => Fate;
  readonly #inFlight: InFlight[] = [];
  readonly #workers = new Map<PeerId, (frames: Frames) => void>();
  #coordinator: CoordinatorHandlers | undefined;
  /** Nothing moves before a coordinator listens; what was sent before it closes still arrives. */
  #begun = false;
  #connections = 0;
  #scheduled = false;

  constructor(fate: (passage: Passage) => Fate = () => ({ copies: 1, delay: 0 })) {
    this.#fate = fate;
  }

  /** Messages that are still on their way. */
  get pending(): number {
    return this.#inFlight.length;
  }

  listen(): CoordinatorTransport {
    return {
      address: "memory:",
      memory: FRESH_MEMORY,
      start: (handlers) => {
        invariant(this.#coordinator === undefined, "a memory network has one coordinator");
        this.#coordinator = handlers;
        this.#begun = true;
        this.#schedule();
      },
      send: (peer, frames) => {
        if (this.#coordinator === undefined) return;
        if (this.#workers.has(peer)) this.#carry({ direction: "to-worker", peer, frames });
        else setImmediate(() => this.#coordinator?.onUnreachable(peer));
      },
      close: () => {
        this.#coordinator = undefined;
        return Promise.resolve();
      },
    };
  }

  connect(): WorkerTransport {
    this.#connections += 1;
    const peer = `memory-${this.#connections}`;
    return {
      memory: FRESH_MEMORY,
      start: (onMessage) => this.#workers.set(peer, onMessage),
      send: (frames) => {
        if (this.#workers.has(peer)) this.#carry({ direction: "to-coordinator", peer, frames });
      },
      close: () => {
        this.#workers.delete(peer);
        return Promise.resolve();
      },
    };
  }

  #carry(passage: Passage): void {
    const { copies, delay } = this.#fate(passage);
    for (let copy = 0; copy < copies; copy++) this.#inFlight.push({ ...passage, delay });
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#begun || this.#scheduled || this.#inFlight.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliverNext();
      this.#schedule();
    });
  }

  /** Delivers the first message whose delay is over; each delivery shortens the others' delays by one. */
  #deliverNext(): void {
    const due = this.#inFlight.findIndex((message) => message.delay <= 0);
    for (const message of this.#inFlight) message.delay -= 1;
    if (due < 0) return;
    const [message] = this.#inFlight.splice(due, 1);
    if (message?.direction === "to-coordinator") this.#coordinator?.onMessage(message.peer, message.frames);
    if (message?.direction === "to-worker") this.#workers.get(message.peer)?.(message.frames);
  }
}
