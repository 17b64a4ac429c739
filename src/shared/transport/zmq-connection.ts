import { Dealer, type Event } from "zeromq";
import { invariant, LockstepError, messageOf } from "../errors.ts";
import type { ConnectionKeys } from "../keys/endpoint-keys.ts";
import { z85 } from "../keys/z85.ts";
import type { Frames } from "../protocol/codec.ts";
import { checkFrames, withChecksums } from "./frame-checksums.ts";
import { FRESH_MEMORY, type WorkerHandlers, type WorkerTransport } from "./transport.ts";
import {
  familyOf,
  follow,
  HEARTBEATS,
  messagesOf,
  needsChecksums,
  requireCurve,
  SOCKET_OPTIONS,
} from "./zmq-socket.ts";

/** The end that connects: a DEALER socket. */

/**
 * Messages that may wait here: far more than will, so that libzmq never stops reading from a peer that it asks for signs of
 * life. A worker that computes for minutes without looking up is sent some pings a second.
 */
const RECEIVE_HIGH_WATER_MARK = 100_000;

/** Pause after a handshake that failed and that libzmq does not repeat. */
const RETRY_MS = 1_000;

/**
 * Connects a DEALER socket, now or as soon as someone listens there.
 * @throws LockstepError when it is no address
 */
export function connectZmq(address: string, keys?: ConnectionKeys): WorkerTransport {
  const security = keys === undefined ? {} : clientSecurity(keys);
  const socket = new Dealer({
    ...SOCKET_OPTIONS,
    ...familyOf(address),
    // With keys it is the other end that asks. A host that has gone silent is noticed here by what is not acknowledged:
    // the worker greets again soon.
    ...(keys === undefined ? HEARTBEATS : {}),
    receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    // Not `immediate`: with it libzmq drops, when the connection ends, what has arrived but was not read yet, such as a
    // "stop" while this worker computes. What is queued for a coordinator that is gone may reach the next one instead:
    // the session in each message tells that it is not meant for it.
    reconnectInterval: 50,
    reconnectMaxInterval: 2_000,
    ...security,
  });
  const transport = new ZmqWorkerTransport(socket, address, keys);
  try {
    socket.connect(address);
  } catch (thrown) {
    socket.close();
    throw new LockstepError("usage", `cannot connect to ${address}: ${messageOf(thrown)}`, { cause: thrown });
  }
  return transport;
}

function clientSecurity({ pair, coordinators }: ConnectionKeys) {
  const [first] = coordinators;
  // Without one the socket would connect without keys.
  invariant(first !== undefined, "there is no key of a coordinator");
  requireCurve();
  return {
    curvePublicKey: z85OfHex(pair.publicHex),
    curveSecretKey: z85OfHex(pair.secretHex),
    curveServerKey: z85OfHex(first.hex),
  };
}

const z85OfHex = (hex: string): string => z85(Buffer.from(hex, "hex"));

class ZmqWorkerTransport implements WorkerTransport {
  readonly memory = FRESH_MEMORY;
  readonly #socket: Dealer;
  readonly #address: string;
  readonly #keys: ConnectionKeys | undefined;
  readonly #hasChecksums: boolean;
  /** How often it has connected anew. */
  #connection = 0;
  /** Which of the coordinator's keys is tried. */
  #tried = 0;
  /** Problems since it last got in, told as soon as there is somebody to tell. */
  readonly #problems = new Set<string>();
  #handlers: WorkerHandlers | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Whether it has been let in, and the connection has not ended since. */
  #isIn = false;

  constructor(socket: Dealer, address: string, keys: ConnectionKeys | undefined) {
    this.#socket = socket;
    this.#address = address;
    this.#keys = keys;
    this.#hasChecksums = needsChecksums(address, keys);
    // Over ipc there is nothing to be refused for without keys.
    if (keys !== undefined || !address.startsWith("ipc:")) follow(socket, (event) => this.#note(event));
  }

  start(handlers: WorkerHandlers): void {
    this.#handlers = handlers;
    for (const problem of this.#problems) handlers.onRefused?.(problem);
    void this.#receive(handlers);
  }

  async #receive(handlers: WorkerHandlers): Promise<void> {
    for await (const frames of messagesOf(this.#socket)) {
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

  #note({ type }: Event): void {
    if (this.#socket.closed) return;
    if (type === "handshake") {
      this.#isIn = true;
      this.#problems.clear();
      this.#cancelRetry();
    }
    if (type === "disconnect") this.#isIn = false;
    if (!type.startsWith("handshake:error")) return;
    if (this.#isIn) {
      // Something was damaged on its way. libzmq only stops reading then: telling of it here, it forgets that it has failed.
      this.#isIn = false;
      this.#connectAnew();
      return;
    }
    const problem = this.#problemOf(type);
    const isNew = !this.#problems.has(problem);
    this.#problems.add(problem);
    if (isNew) this.#handlers?.onRefused?.(problem);
    this.#tryAgain(type);
  }

  #problemOf(type: string): string {
    const there = `whoever listens at ${this.#address}`;
    if (this.#keys === undefined)
      return `${there} wants keys: give --key and --coordinator-key, or look at the address`;
    const { publicHex } = this.#keys.pair;
    if (type === "handshake:error:auth") {
      return `the coordinator at ${this.#address} does not know this worker's key: add ${publicHex} to its --allow list`;
    }
    if (type === "handshake:error:protocol") return `${there} has no keys, as it must where --key is given`;
    return `${there} ended the handshake: its key is not the one in --coordinator-key, or it is just being started`;
  }

  /** libzmq does not try again after an answer that is final. With several keys the next one is tried. */
  #tryAgain(type: string): void {
    const coordinators = this.#keys?.coordinators ?? [];
    if (this.#retry !== undefined || (coordinators.length < 2 && type === "handshake:error:other")) return;
    const connect = (): void => {
      this.#retry = undefined;
      this.#tried += 1;
      if (!this.#socket.closed) this.#connectAnew();
    };
    this.#retry = setTimeout(connect, RETRY_MS / Math.max(coordinators.length, 1)).unref();
  }

  #cancelRetry(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  /** A stream that has lost its place can go on as a flood of seeming messages: it is left, with what came of it. */
  #connectAnew(): void {
    this.#connection += 1;
    this.#socket.disconnect(this.#address);
    const coordinators = this.#keys?.coordinators ?? [];
    const next = coordinators[this.#tried % coordinators.length];
    if (next !== undefined && coordinators.length > 1) this.#socket.curveServerKey = z85OfHex(next.hex);
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
    this.#cancelRetry();
    this.#socket.close();
    return Promise.resolve();
  }
}
