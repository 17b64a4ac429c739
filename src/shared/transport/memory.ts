import { invariant } from "../errors.ts";
import type { Frames } from "../protocol/codec.ts";
import {
  type CoordinatorHandlers,
  type CoordinatorTransport,
  FRESH_MEMORY,
  type PeerId,
  type WorkerHandlers,
  type WorkerTransport,
} from "./transport.ts";

/** What the network does with a message. */
export interface Fate {
  /** How many times it is delivered; 0 loses it. */
  readonly copies: number;
  /** How many deliveries of others come first, later ones of its own connection included. */
  readonly delay: number;
  /** How many deliveries later each further copy comes. */
  readonly apart?: number;
  /** Whether it is damaged on its way, which is told in its place. A worker leaves such a connection for a new one. */
  readonly damaged?: boolean;
  /** For as long as this holds, it waits, and so do those that follow it on its connection. */
  readonly held?: () => boolean;
}

/** A message on its way; without frames, the notice to the coordinator that a peer's connection is gone. */
export interface Passage {
  readonly direction: "to-coordinator" | "to-worker";
  readonly peer: PeerId;
  readonly frames: Frames;
}

/** A worker's end. As long as it is open it has a connection, or will have one as soon as a coordinator listens. */
export interface MemoryWorkerTransport extends WorkerTransport {
  /** By what name the coordinator knows it: another one after each break. */
  readonly peer: PeerId;
  /**
   * Breaks the connection; the next one is there at once, under a new name.
   * @param arrives what of that which is under way has arrived already; if not given, what was sent to the coordinator
   */
  reconnect(arrives?: (passage: Passage) => boolean): void;
}

interface End {
  peer: PeerId;
  handlers: WorkerHandlers | undefined;
}

interface InFlight {
  readonly passage: Passage;
  /** In one lane messages stay in order: from a connection, or to a worker. */
  readonly lane: string | End;
  readonly end: End | undefined;
  readonly held: (() => boolean) | undefined;
  readonly damaged: boolean;
  delay: number;
}

const DAMAGED = "a message was damaged on its way: the network was told to";

const PROMPTLY: Fate = { copies: 1, delay: 0 };

/**
 * A network within this process, for tests: a coordinator's end and any number of workers' ends. Messages are delivered
 * one at a time, and `fate` decides about each of them when it is sent. What a worker sends while nobody listens waits
 * for the next coordinator, to whom the worker has a new name.
 */
export class MemoryNetwork {
  readonly #fate: (passage: Passage) => Fate;
  readonly #schedule: (deliver: () => void) => void;
  #inFlight: InFlight[] = [];
  readonly #ends = new Map<PeerId, End>();
  #coordinator: CoordinatorHandlers | undefined;
  #coordinators = 0;
  #connections = 0;
  #scheduled = false;

  /** @param schedule calls what it is given a moment later; one that never does leaves it all to `deliver` */
  constructor(
    fate: (passage: Passage) => Fate = () => PROMPTLY,
    schedule: (deliver: () => void) => void = setImmediate,
  ) {
    this.#fate = fate;
    this.#schedule = schedule;
  }

  /** Messages that are still on their way. */
  get pending(): number {
    return this.#inFlight.length;
  }

  listen(): CoordinatorTransport {
    let own: CoordinatorHandlers | undefined;
    const isOpen = (): boolean => own !== undefined && own === this.#coordinator;
    return {
      address: "memory:",
      memory: FRESH_MEMORY,
      start: (handlers) => {
        invariant(this.#coordinator === undefined, "a memory network has one coordinator");
        own = handlers;
        this.#coordinator = handlers;
        this.#coordinators += 1;
        if (this.#coordinators > 1) for (const end of [...this.#ends.values()]) this.#rename(end);
        this.#wake();
      },
      send: (peer, frames) => {
        if (isOpen()) this.#carry({ direction: "to-worker", peer, frames });
      },
      close: () => {
        if (isOpen()) this.#coordinator = undefined;
        return Promise.resolve();
      },
    };
  }

  connect(): MemoryWorkerTransport {
    const end: End = { peer: this.#newPeer(), handlers: undefined };
    return {
      memory: FRESH_MEMORY,
      get peer() {
        return end.peer;
      },
      start: (handlers) => {
        end.handlers = handlers;
        this.#ends.set(end.peer, end);
      },
      send: (frames) => {
        if (end.handlers !== undefined) this.#carry({ direction: "to-coordinator", peer: end.peer, frames });
      },
      reconnect: (arrives) => this.#reconnect(end, arrives),
      close: () => {
        this.#ends.delete(end.peer);
        end.handlers = undefined;
        return Promise.resolve();
      },
    };
  }

  /** Loses messages that are under way. */
  lose(isLost: (passage: Passage) => boolean): void {
    this.#inFlight = this.#inFlight.filter(({ passage }) => !isLost(passage));
  }

  /**
   * Delivers one message, and shortens the delay of all others by one.
   * @param choose which of so many that could be the next one is; from 0, the one that was sent first
   * @returns whether there was one
   */
  deliver(choose: (count: number) => number = () => 0): boolean {
    const heads = this.#heads();
    for (const message of this.#inFlight) message.delay -= 1;
    const message = heads[choose(heads.length)];
    if (message === undefined) return false;
    this.#inFlight.splice(this.#inFlight.indexOf(message), 1);
    this.#arrive(message);
    return true;
  }

  /** The first message of each lane that is not overtaken, where it can be delivered. */
  #heads(): InFlight[] {
    const lanes = new Set<InFlight["lane"]>();
    return this.#inFlight.filter((message) => {
      if (message.delay > 0 || lanes.has(message.lane)) return false;
      lanes.add(message.lane);
      return !this.#isStranded(message) && message.held?.() !== true;
    });
  }

  #isStranded({ passage }: InFlight): boolean {
    return passage.direction === "to-coordinator" && this.#coordinator === undefined;
  }

  #arrive({ passage: { direction, peer, frames }, end, damaged }: InFlight): void {
    if (direction === "to-worker") {
      if (damaged && end !== undefined) this.#reconnect(end);
      if (damaged) end?.handlers?.onDamaged(DAMAGED);
      else end?.handlers?.onMessage(frames);
    } else if (frames.length === 0) this.#coordinator?.onUnreachable(peer);
    else if (damaged) this.#coordinator?.onDamaged(peer, DAMAGED);
    else this.#coordinator?.onMessage(peer, frames);
  }

  #reconnect(end: End, arrives = ({ direction }: Passage): boolean => direction === "to-coordinator"): void {
    const broken = end.peer;
    this.lose((passage) => passage.peer === broken && !arrives(passage));
    this.#ends.delete(broken);
    end.peer = this.#newPeer();
    if (end.handlers !== undefined) this.#ends.set(end.peer, end);
  }

  #carry(passage: Passage): void {
    const { copies, delay, apart = 0, damaged = false, held } = this.#fate(passage);
    const { direction, peer } = passage;
    const end = this.#ends.get(peer);
    if (direction === "to-worker" && end === undefined) {
      if (copies > 0) this.#carry({ direction: "to-coordinator", peer, frames: [] });
      return;
    }
    const lane = direction === "to-worker" ? end! : passage.frames.length > 0 ? peer : `no ${peer}`;
    for (let copy = 0; copy < copies; copy++) {
      this.#inFlight.push({ passage, lane, end, held, damaged, delay: delay + copy * apart });
    }
    this.#wake();
  }

  #newPeer(): PeerId {
    this.#connections += 1;
    return `memory-${this.#connections}`;
  }

  /** Another coordinator knows a worker by another name; what the worker has sent to nobody is for that one. */
  #rename(end: End): void {
    const former = end.peer;
    end.peer = this.#newPeer();
    this.#ends.delete(former);
    this.#ends.set(end.peer, end);
    this.#inFlight = this.#inFlight.map((message) => {
      const { passage } = message;
      if (passage.direction === "to-worker" || passage.peer !== former) return message;
      return { ...message, lane: end.peer, passage: { ...passage, peer: end.peer } };
    });
  }

  #wake(): void {
    if (this.#scheduled || this.#inFlight.every((message) => this.#isStranded(message))) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.deliver();
      this.#wake();
    });
  }
}
