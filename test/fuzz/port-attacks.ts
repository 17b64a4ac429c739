import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { workerHeader } from "../../src/shared/protocol/messages.ts";
import { withChecksums } from "../../src/shared/transport/frame-checksums.ts";
import type { Draws } from "../chaos/draws.ts";
import { pourBytes, RogueWorker } from "../support/rogue.ts";
import { fuzzedFrames } from "./message-cases.ts";
import { command, frame, greeting, message, RawPeer, ready } from "./zmtp.ts";

/** What a port can meet that chaos has not: peers that speak half of ZeroMQ, or speak it to do harm. */

/** What an attack sends over all of its connections, counted in messages or in attempts at one. */
export type Attack = (port: number, draws: Draws) => Promise<number>;

const inParallel = async (count: number, attack: (i: number) => Promise<void>): Promise<number> => {
  await Promise.all(Array.from({ length: count }, (_, i) => attack(i)));
  return count;
};

async function withPeer(port: number, use: (peer: RawPeer) => Promise<void>): Promise<void> {
  const peer = await RawPeer.connect(port);
  try {
    await use(peer);
  } finally {
    peer.cut();
  }
}

/** Greetings that are cut, damaged, of other versions and of mechanisms that this end does not have. */
const greetings: Attack = (port, draws) =>
  inParallel(60, async () => {
    const bytes = greeting(draws.pick(["NULL", "PLAIN", "CURVE", "GSSAPI", "", "N\u0001LL"]), draws.below(6));
    if (draws.below(2) === 0) bytes[draws.below(bytes.length)] = draws.below(256);
    const more = draws.pick([ready(), ready({ "Socket-Type": "ROUTER" }), ready({ x: "y" }), draws.bytes(50)]);
    await withPeer(port, (peer) => peer.send(Buffer.concat([bytes.subarray(0, 1 + draws.below(64)), more])));
  });

/** Commands in place of messages: unknown, too long, of wrong content, and PINGs that ask for long PONGs. */
const commands: Attack = (port, draws) =>
  inParallel(60, async () => {
    const peer = await RawPeer.introduced(port);
    for (let i = 0; i < 20 && !peer.isClosed; i++) {
      const name = draws.pick(["PING", "PONG", "READY", "ERROR", "SUBSCRIBE", "JOIN", "HELLO", "INITIATE", "?"]);
      await peer.send(command(name, draws.bytes(draws.pick([0, 1, 2, 18, 200, 5_000]))));
    }
    peer.cut();
  });

/** Frames that claim more than they have, or than there is, and ones that come a byte at a time. */
const claims: Attack = (port, draws) =>
  inParallel(60, async () => {
    const peer = await RawPeer.introduced(port);
    const length = draws.pick([1, 255, 256, 999_999, 1_000_001, 2 ** 31, 2 ** 53]);
    const bytes = frame(draws.bytes(300), { claims: length, more: draws.below(2) === 0 });
    for (let i = 0; i < 20; i++) await peer.send(bytes.subarray(i, i + 1));
    await peer.send(bytes.subarray(20));
    peer.cut();
  });

/** Messages of ZeroMQ that are nearly messages of the protocol, as a peer and as a member. */
const messages: Attack = async (port, draws) => {
  const cases = fc.sample(fuzzedFrames(workerHeader), { numRuns: 2_000, seed: draws.below(2 ** 31) });
  const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.introduced(port)));
  for (const [i, frames] of cases.entries()) {
    await peers[i % 20]!.send(message(draws.below(8) === 0 ? frames : withChecksums(frames)));
  }
  for (const peer of peers) peer.cut();
  const rogue = await RogueWorker.join(`tcp://127.0.0.1:${port}`);
  await rogue.next();
  for (const frames of cases.slice(0, 100)) await rogue.sendRaw(...withChecksums(frames));
  rogue.close();
  return cases.length + 100;
};

/** More messages than anyone can read, and then the connection is cut while they wait. */
const flood: Attack = async (port, draws) => {
  const count = 20_000;
  const sent = await inParallel(20, async () => {
    const peer = await RawPeer.introduced(port);
    const all = Buffer.concat(Array(count).fill(message(withChecksums([draws.bytes(20)]))));
    // It does not wait until all is read: what the system takes is enough.
    await Promise.race([peer.send(all), new Promise((resolve) => setTimeout(resolve, 300))]);
    peer.cut();
  });
  return sent * count;
};

/** Parts of messages that never end, 40 MB of them: nothing limits these but the connection's end. */
const endless: Attack = async (port) => {
  const part = frame(new Uint8Array(500_000), { more: true });
  return inParallel(4, async () => {
    const peer = await RawPeer.introduced(port);
    for (let i = 0; i < 20; i++) await peer.send(part);
    peer.cut();
  });
};

/** Connections by the hundred: some say nothing, some half a greeting, and all are cut. */
const churn: Attack = async (port, draws) => {
  for (let round = 0; round < 3; round++) {
    await inParallel(150, () => withPeer(port, (peer) => peer.send(greeting().subarray(0, draws.below(65)))));
    await pourBytes(port, draws.bytes(1_000));
  }
  return 453;
};

/** A coordinator that is attacked answers within it. */
const ANSWER_MS = 10_000;

/** Workers that greet, are welcomed and go, one after the other. */
const joining: Attack = (port) =>
  inParallel(60, async () => {
    const rogue = await RogueWorker.join(`tcp://127.0.0.1:${port}`);
    // Nobody answers where the run has ended meanwhile.
    await Promise.race([rogue.next(), delay(ANSWER_MS, undefined, { ref: false })]);
    rogue.close();
  });

export const ATTACKS = {
  greetings,
  commands,
  claims,
  messages,
  flood,
  endless,
  churn,
  joining,
} as const satisfies Record<string, Attack>;
