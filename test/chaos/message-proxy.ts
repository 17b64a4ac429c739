import { Dealer, Router } from "zeromq";
import { uniformFrom } from "../support/floats.ts";
import { DelayLine } from "./delay-line.ts";

export type MessageDirection = "to-coordinator" | "to-worker";

/** Probabilities that something happens to a message, each on its own. */
export interface MessageFaults {
  readonly drop: number;
  readonly duplicate: number;
  /** Held for up to `delayMs`; what comes behind it waits too. */
  readonly delay: number;
  /** Held for up to `delayMs`; others overtake it. */
  readonly reorder: number;
  readonly delayMs: number;
}

const NONE: MessageFaults = { drop: 0, duplicate: 0, delay: 0, reorder: 0, delayMs: 20 };

export interface MessageCounts {
  passed: number;
  dropped: number;
  duplicated: number;
  delayed: number;
  reordered: number;
  /** Not by chance, but since nobody was there to take them. */
  undeliverable: number;
}

type Message = readonly Uint8Array[];

/** Room for whatever a test may have under way; a send is queued now or fails now. */
const SOCKET_OPTIONS = { sendHighWaterMark: 10_000, receiveHighWaterMark: 10_000, sendTimeout: 0, linger: 0 };

/**
 * A proxy between workers and a coordinator that takes whole messages, frames as they are, and drops, duplicates, delays or
 * reorders them, each direction on its own. To the coordinator every worker is a connection of its own. Drawn from a seed.
 */
export class MessageProxy {
  readonly counts: MessageCounts = { passed: 0, dropped: 0, duplicated: 0, delayed: 0, reordered: 0, undeliverable: 0 };
  /** Where workers connect. */
  readonly address: string;
  readonly #router: Router;
  readonly #coordinatorAddress: string;
  readonly #uniform: () => number;
  readonly #workers = new Map<string, ProxiedWorker>();
  readonly #faults: Record<MessageDirection, MessageFaults> = { "to-coordinator": NONE, "to-worker": NONE };
  readonly #ended: Promise<unknown>[] = [];

  private constructor(router: Router, address: string, coordinatorAddress: string, seed: number) {
    this.#router = router;
    this.address = address;
    this.#coordinatorAddress = coordinatorAddress;
    this.#uniform = uniformFrom(seed);
    this.#ended.push(this.#receive());
  }

  /** Listens on a free port of the loopback interface. */
  static async listen(coordinatorAddress: string, seed = 1): Promise<MessageProxy> {
    const router = new Router({ ...SOCKET_OPTIONS, mandatory: true });
    await router.bind("tcp://127.0.0.1:*");
    return new MessageProxy(router, router.lastEndpoint ?? "", coordinatorAddress, seed);
  }

  /** Changes what happens to messages from now on. */
  set(changes: Partial<MessageFaults>, ...directions: readonly MessageDirection[]): void {
    const all = ["to-coordinator", "to-worker"] as const;
    for (const direction of directions.length === 0 ? all : directions) {
      this.#faults[direction] = { ...this.#faults[direction], ...changes };
    }
  }

  /** No message is harmed any more; what is held back still comes. */
  heal(): void {
    this.set(NONE);
  }

  /** Ends everything; nothing of it is left once this resolves. */
  async close(): Promise<void> {
    this.#router.close();
    for (const worker of this.#workers.values()) worker.close();
    this.#workers.clear();
    await Promise.all(this.#ended);
  }

  async #receive(): Promise<void> {
    for await (const [id, ...message] of this.#router) {
      if (this.#router.closed) return;
      if (id !== undefined) this.#workerOf(id).toCoordinator.take(message);
    }
  }

  #workerOf(id: Buffer): ProxiedWorker {
    const key = id.toString("hex");
    let worker = this.#workers.get(key);
    if (worker === undefined) this.#workers.set(key, (worker = this.#connect(key, id)));
    return worker;
  }

  #connect(key: string, id: Buffer): ProxiedWorker {
    const dealer = new Dealer(SOCKET_OPTIONS);
    dealer.connect(this.#coordinatorAddress);
    const toCoordinator = this.#lane("to-coordinator", (message) => {
      dealer.send([...message]).catch(() => (this.counts.undeliverable += 1));
    });
    const toWorker = this.#lane("to-worker", (message) => {
      this.#router.send([id, ...message]).catch(() => {
        this.counts.undeliverable += 1;
        // The worker's connection is gone and will not come back under this name: the coordinator is to see the same.
        this.#workers.get(key)?.close();
        this.#workers.delete(key);
      });
    });
    const receive = async (): Promise<void> => {
      for await (const message of dealer) toWorker.take(message);
    };
    this.#ended.push(receive());
    const close = () => {
      for (const lane of [toCoordinator, toWorker]) lane.close();
      dealer.close();
    };
    return { toCoordinator, close };
  }

  #lane(direction: MessageDirection, send: (message: Message) => void): MessageLane {
    return new MessageLane(() => this.#faults[direction], this.#uniform, this.counts, send);
  }
}

interface ProxiedWorker {
  readonly toCoordinator: MessageLane;
  close(): void;
}

/** One direction of one worker's messages. */
class MessageLane {
  readonly #faults: () => MessageFaults;
  readonly #uniform: () => number;
  readonly #counts: MessageCounts;
  readonly #line: DelayLine<Message>;
  /** What comes next is not passed on before this. */
  #lastDueAt = 0;
  #closed = false;

  constructor(
    faults: () => MessageFaults,
    uniform: () => number,
    counts: MessageCounts,
    send: (message: Message) => void,
  ) {
    this.#faults = faults;
    this.#uniform = uniform;
    this.#counts = counts;
    this.#line = new DelayLine((message) => {
      counts.passed += 1;
      send(message);
    });
  }

  take(message: Message): void {
    if (this.#closed) return;
    const { drop, duplicate, delay, reorder, delayMs } = this.#faults();
    if (this.#uniform() < drop) {
      this.#counts.dropped += 1;
      return;
    }
    const pauseMs = this.#uniform() * delayMs;
    if (this.#uniform() < delay) {
      this.#counts.delayed += 1;
      this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + pauseMs);
    }
    let dueAt = this.#lastDueAt;
    if (this.#uniform() < reorder) {
      this.#counts.reordered += 1;
      dueAt = Math.max(dueAt, performance.now()) + pauseMs;
    }
    this.#line.push(message, dueAt);
    if (this.#uniform() < duplicate) {
      this.#counts.duplicated += 1;
      this.#line.push(message, dueAt);
    }
  }

  close(): void {
    this.#closed = true;
    this.#line.clear();
  }
}
