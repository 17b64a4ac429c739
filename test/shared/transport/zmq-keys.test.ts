import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { AllowList } from "../../../src/shared/keys/allow-list.ts";
import type { ConnectionKeys, ListenerKeys } from "../../../src/shared/keys/endpoint-keys.ts";
import { type KeyPair, newKeyPair } from "../../../src/shared/keys/key-pair.ts";
import { publicKeyLine } from "../../../src/shared/keys/key-text.ts";
import type { CoordinatorTransport, WorkerTransport } from "../../../src/shared/transport/transport.ts";
import { connectZmq } from "../../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../../src/shared/transport/zmq-listener.ts";
import { transportCompliance } from "../../compliance/transport.ts";

const folder = mkdtempSync(join(tmpdir(), "lockstep-zmq-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DEADLINE = { timeout: 20_000, interval: 5 };

let lists = 0;
function allowing(...pairs: readonly KeyPair[]): { path: string; allow: AllowList } {
  const path = join(folder, `list-${(lists += 1)}`);
  writeFileSync(path, pairs.map((pair) => lineOf(pair)).join("") || "# nobody\n");
  return { path, allow: new AllowList(path, "--allow") };
}

const lineOf = ({ publicHex }: KeyPair): string => publicKeyLine({ hex: publicHex, name: "worker" });
const [coordinator, worker, stranger] = [newKeyPair(), newKeyPair(), newKeyPair()];

function keysFor(pair: KeyPair, ...coordinators: readonly KeyPair[]): ConnectionKeys {
  return { pair, coordinators: coordinators.map(({ publicHex }) => ({ hex: publicHex, name: "coordinator" })) };
}

const listenerKeys = (): ListenerKeys => ({ pair: coordinator, allow: allowing(worker).allow });

transportCompliance("ZeroMQ tcp with keys", {
  listen: () => listenZmq("tcp://127.0.0.1:*", listenerKeys()),
  connect: (address) => connectZmq(address, keysFor(worker, coordinator)),
});

const open: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((end) => end.close())));

/** A coordinator's end that echoes, and whom it has refused. */
async function listen(keys?: ListenerKeys) {
  const end = await listenZmq("tcp://127.0.0.1:*", keys);
  open.push(end);
  const [refused, heard]: [string[], string[]] = [[], []];
  end.start({
    onMessage: (peer, frames) => {
      heard.push(frames.map((frame) => Buffer.from(frame).toString()).join());
      end.send(
        peer,
        frames.map((frame) => Uint8Array.from(frame)),
      );
    },
    onUnreachable: () => {},
    onDamaged: (_, problem) => refused.push(problem),
    onRefused: (reason) => refused.push(reason),
  });
  return { end, refused, heard };
}

/** A worker's end, what it is told, and a way to see that it gets through. */
function joined({ address }: CoordinatorTransport, keys?: ConnectionKeys) {
  const end: WorkerTransport = connectZmq(address, keys);
  open.push(end);
  const problems: string[] = [];
  let echoes = 0;
  end.start({
    onMessage: () => (echoes += 1),
    onDamaged: (problem) => problems.push(problem),
    onRefused: (problem) => problems.push(problem),
  });
  const getsThrough = async (): Promise<void> => {
    const before = echoes;
    await vi.waitUntil(() => {
      end.send([Buffer.from("hello")]);
      return echoes > before;
    }, DEADLINE);
  };
  return { end, problems, getsThrough, echoes: () => echoes };
}

const telling = (texts: readonly string[], part: string | RegExp): Promise<void> =>
  vi.waitFor(() => expect(texts).toContainEqual(expect.stringMatching(part)), DEADLINE);

describe("who is let in", () => {
  test("only keys of the list; both sides say why not, and the others are not disturbed", async () => {
    const { end, refused, heard } = await listen(listenerKeys());
    const welcome = joined(end, keysFor(worker, coordinator));
    await welcome.getsThrough();
    const other = joined(end, keysFor(stranger, coordinator));
    other.end.send([Buffer.from("let me in")]);
    await telling(
      refused,
      `^127\\.0\\.0\\.1 has the key ${stranger.publicHex.slice(0, 16)}\\.\\.\\., which is not in `,
    );
    await telling(other.problems, `does not know this worker's key: add ${stranger.publicHex} to its --allow list$`);
    const plain = joined(end);
    plain.end.send([Buffer.from("let me in")]);
    await telling(plain.problems, "wants keys: give --key and --coordinator-key");
    await welcome.getsThrough();
    expect(welcome.problems).toEqual([]);
    expect(heard).not.toContain("let me in");
    expect([other.echoes(), plain.echoes()]).toEqual([0, 0]);
  });

  test("a coordinator that cannot prove its key gets nothing", async () => {
    const impostor = await listen({ pair: stranger, allow: allowing(worker).allow });
    const member = joined(impostor.end, keysFor(worker, coordinator));
    member.end.send([Buffer.from("secret")]);
    await telling(member.problems, "its key is not the one in --coordinator-key");
    const plain = await listen();
    const second = joined(plain.end, keysFor(worker, coordinator));
    second.end.send([Buffer.from("secret")]);
    await telling(second.problems, "has no keys, as it must where --key is given");
    expect([...impostor.heard, ...plain.heard]).toEqual([]);
  });

  test("of several coordinator keys the right one is found, wherever it stands", async () => {
    const { end } = await listen(listenerKeys());
    for (const keys of [
      [coordinator, stranger],
      [stranger, coordinator],
      [stranger, newKeyPair(), coordinator],
    ]) {
      await joined(end, keysFor(worker, ...keys)).getsThrough();
    }
  });

  test("a key that is added lets in at once, one that is removed cuts off, and the others come back", async () => {
    const { path, allow } = allowing(worker);
    const { end, refused } = await listen({ pair: coordinator, allow });
    const [first, late] = [newKeyPair(), newKeyPair()];
    appendFileSync(path, lineOf(first));
    const [a, b] = [joined(end, keysFor(worker, coordinator)), joined(end, keysFor(first, coordinator))];
    await Promise.all([a.getsThrough(), b.getsThrough()]);
    const c = joined(end, keysFor(late, coordinator));
    await telling(c.problems, "does not know this worker's key");
    writeFileSync(path, lineOf(worker) + lineOf(late));
    await telling(b.problems, "does not know this worker's key");
    await telling(refused, first.publicHex.slice(0, 16));
    await Promise.all([a.getsThrough(), c.getsThrough()]);
    const before = b.echoes();
    b.end.send([Buffer.from("still there?")]);
    await a.getsThrough();
    expect(b.echoes()).toBe(before);
  });
});

test("a hundred handshakes at once are all judged, and rightly", async () => {
  const pairs = Array.from({ length: 50 }, newKeyPair);
  const { end, refused, heard } = await listen({ pair: coordinator, allow: allowing(...pairs).allow });
  const welcome = pairs.map((pair) => joined(end, keysFor(pair, coordinator)));
  const strangers = Array.from({ length: 50 }, () => joined(end, keysFor(newKeyPair(), coordinator)));
  for (const { end: other } of strangers) other.send([Buffer.from("let me in")]);
  await Promise.all(welcome.map(({ getsThrough }) => getsThrough()));
  await vi.waitFor(() => expect(strangers.filter(({ problems }) => problems.length === 0)).toEqual([]), DEADLINE);
  expect(new Set(refused.map((reason) => /key (\w+)/.exec(reason)?.[1])).size).toBe(50);
  expect(heard).not.toContain("let me in");
});

test("nothing can be read on the way, and what is changed there does not arrive", async () => {
  const { end, heard } = await listen(listenerKeys());
  const seen: Buffer[] = [];
  let spoil = false;
  const sockets: Socket[] = [];
  const port = Number(/\d+$/.exec(end.address)?.[0]);
  const proxy = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    sockets.push(client, server);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on("data", (chunk: Buffer) => {
        seen.push(Buffer.from(chunk));
        if (spoil) chunk.writeUInt8((chunk.at(-1) ?? 0) ^ 1, chunk.length - 1);
        to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = `tcp://127.0.0.1:${(proxy.address() as { port: number }).port}`;
  const member = connectZmq(address, keysFor(worker, coordinator));
  member.start({ onMessage: () => {}, onDamaged: () => {} });
  member.send([Buffer.from("gradient-of-somebody")]);
  await vi.waitFor(() => expect(heard).toContain("gradient-of-somebody"), DEADLINE);
  expect(Buffer.concat(seen).includes("gradient-of-somebody")).toBe(false);
  spoil = true;
  member.send([Buffer.from("spoilt-on-its-way")]);
  // The connection ends, and comes back once nobody meddles with it.
  await vi.waitFor(() => expect(sockets.some((socket) => socket.destroyed)).toBe(true), DEADLINE);
  spoil = false;
  await vi.waitFor(() => {
    member.send([Buffer.from("afterwards")]);
    expect(heard).toContain("afterwards");
  }, DEADLINE);
  expect(heard).not.toContain("spoilt-on-its-way");
  await member.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
});

test("keys that are taken away again and again, while both ends send all the time, disturb no more than the connections", async () => {
  const { path, allow } = allowing(worker);
  const { end } = await listen({ pair: coordinator, allow });
  const members = Array.from({ length: 3 }, () => joined(end, keysFor(worker, coordinator)));
  const payload = new Uint8Array(5_000);
  const flood = setInterval(() => {
    for (const member of members) for (let i = 0; i < 5; i++) member.end.send([payload]);
  }, 1);
  try {
    for (let round = 0; round < 5; round++) {
      writeFileSync(path, lineOf(worker) + lineOf(newKeyPair()));
      // Each handshake has the list looked at; twice at once, it is looked at while the first look still has effect.
      for (const keys of [keysFor(newKeyPair(), coordinator), keysFor(newKeyPair(), coordinator)]) joined(end, keys);
      await Promise.all(members.map(({ getsThrough }) => getsThrough()));
      writeFileSync(path, lineOf(worker));
      for (const keys of [keysFor(newKeyPair(), coordinator), keysFor(newKeyPair(), coordinator)]) joined(end, keys);
      await Promise.all(members.map(({ getsThrough }) => getsThrough()));
    }
    // And closing in the midst of it ends everything.
    writeFileSync(path, lineOf(newKeyPair()));
    joined(end, keysFor(newKeyPair(), coordinator));
    await new Promise((resolve) => setImmediate(resolve));
    await end.close();
  } finally {
    clearInterval(flood);
  }
  const again = await vi.waitFor(() => listenZmq(end.address), DEADLINE);
  open.push(again);
});

test("over ipc with keys, a worker says why it is not let in, and finds the right key of several", async () => {
  const end = await listenZmq(`ipc://${join(folder, "keyed")}`, listenerKeys());
  open.push(end);
  end.start({ onMessage: (peer, frames) => end.send(peer, [...frames]), onUnreachable: () => {}, onDamaged: () => {} });
  const unknown = joined(end, keysFor(stranger, coordinator));
  await telling(unknown.problems, "does not know this worker's key");
  await joined(end, keysFor(worker, stranger, coordinator)).getsThrough();
});
