import { capability, type Dealer, type Event, type Observer, type Router } from "zeromq";
import { LockstepError, systemCode } from "../errors.ts";

/**
 * The transport between processes: ROUTER and DEALER sockets of ZeroMQ, over tcp or ipc. Over tcp each message ends with a
 * frame of checksums. Over ipc it never leaves this machine's memory; with keys it is encrypted, and what was damaged on
 * its way does not decrypt. What both ends have in common.
 */

export const SOCKET_OPTIONS = {
  /** A slice is 236 KB: with the kernel's default buffers it would leave in several wake-ups. */
  sendBufferSize: 1_000_000,
  receiveBufferSize: 1_000_000,
  /** Messages per peer. A healthy peer has fewer than ten under way; what does not fit waits in TCP. */
  sendHighWaterMark: 256,
  receiveHighWaterMark: 256,
  /** A send is queued now or fails now: one peer that does not read must not hold up the others. */
  sendTimeout: 0,
  /** How long a closed socket may still deliver what was sent. */
  linger: 500,
  /** Largest frame taken from a peer, in bytes; the peer is disconnected otherwise. */
  maxMessageSize: 1_000_000,
  handshakeInterval: 5_000,
  /** A host or network that has gone silent is noticed by the system, in ms: by what is sent and not acknowledged... */
  tcpMaxRetransmitTimeout: 5_000,
  /** ... and where nothing is sent, in seconds: within two minutes. */
  tcpKeepalive: 1,
  tcpKeepaliveIdle: 60,
  tcpKeepaliveInterval: 15,
  tcpKeepaliveCount: 4,
};

/**
 * Of the end that asks each second, and tells the other end after which silence to give it up. libzmq's own thread answers,
 * so a worker that computes is not mistaken for a dead one.
 *
 * Not for an end to whom anyone may send: when libzmq is about to ask a peer that it has stopped reading from, and that has
 * cut its connection meanwhile, it aborts the process (libzmq 4.3.5, `Assertion failed: !_io_error`). It stops reading
 * when too many messages wait, and, where a socket is followed, when something does not decrypt: telling of that resets
 * errno to EAGAIN. So without keys the end that connects asks, and with keys the one that listens, which is not followed.
 */
export const HEARTBEATS = { heartbeatInterval: 1_000, heartbeatTimeout: 4_000, heartbeatTimeToLive: 4_000 };

/** IPv6 where an address says so; asked for always, it would change what names and 0.0.0.0 mean. */
export const familyOf = (address: string): { ipv6?: true } => (address.includes("[") ? { ipv6: true } : {});

/** Whether the transport has to find out what was damaged on its way: TCP's own sums let some of it pass. */
export const needsChecksums = (address: string, keys: unknown): boolean =>
  keys === undefined && !address.startsWith("ipc:");

/** The copy of ZeroMQ that comes along has it; one that somebody compiled may not. */
export function requireCurve(): void {
  if (capability.curve === true) return;
  throw new LockstepError(
    "usage",
    "keys need a ZeroMQ with CURVE, which this one was built without: npm rebuild zeromq",
  );
}

/** What a socket receives until it is closed; while messages wait, closing it fails the receiving of the next one. */
export async function* messagesOf(socket: Router | Dealer): AsyncGenerator<Buffer[]> {
  try {
    yield* socket;
  } catch (thrown) {
    if (!socket.closed) throw thrown;
  }
}

/** Those that are followed: one that nobody holds any more would be collected, and closed with that. */
const followed = new Set<Observer>();

/**
 * Tells what happens to a socket's connections, until it is closed and has delivered what it had to. To be called before
 * the first of them.
 *
 * All events are read, to the very end: libzmq's only thread waits for whoever follows a socket, so that all sockets of
 * the process would stand still once the reader is gone, or a thousand events behind.
 */
export function follow(socket: Dealer | Router, onEvent: (event: Event) => void): void {
  const events = observe(socket);
  followed.add(events);
  void tell(events, onEvent).finally(() => followed.delete(events));
}

async function tell(events: Observer, onEvent: (event: Event) => void): Promise<void> {
  try {
    for await (const event of events) onEvent(event);
  } catch (thrown) {
    if (!events.closed) throw thrown;
  }
}

const TRIES = 20;

/**
 * zeromq.js names the channel of these events after the observer's place in memory. Where an observer lay until lately whose
 * socket still delivers its last messages, the name is taken; the next try gives the observer another place.
 */
function observe(socket: Dealer | Router): Observer {
  for (let tries = 1; ; tries++) {
    try {
      return socket.events;
    } catch (thrown) {
      if (systemCode(thrown) !== "EADDRINUSE" || tries === TRIES) throw thrown;
    }
  }
}
