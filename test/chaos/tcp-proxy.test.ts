import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { randomVector } from "../support/floats.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const DEADLINE = { timeout: 10_000, interval: 1 };

/** One end of a connection, and what has come to it. */
class End {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  bytes = 0;
  error: string | undefined;
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.bytes += chunk.byteLength;
    });
    socket.on("end", () => (this.ended = true));
    socket.on("error", (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async until(bytes: number): Promise<Buffer> {
    await vi.waitUntil(() => this.bytes >= bytes, DEADLINE);
    return this.received;
  }
}

let server: Server;
let proxy: TcpProxy;
let targets: End[];
let clients: End[];

beforeEach(async () => {
  [targets, clients] = [[], []];
  server = createServer({ allowHalfOpen: true }, (socket) => targets.push(new End(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await proxyOf(1);
});

afterEach(async () => {
  await proxy.close();
  await destroyEnds();
  await new Promise((resolve) => server.close(resolve));
});

async function destroyEnds(): Promise<void> {
  const sockets = [...targets, ...clients].map(({ socket }) => socket.destroy());
  await vi.waitUntil(() => sockets.every(({ closed }) => closed), DEADLINE);
}

const proxyOf = (seed: number) => TcpProxy.listen((server.address() as AddressInfo).port, seed);

/** A connection through the proxy: both ends of it. */
async function join(through = proxy): Promise<{ client: End; target: End }> {
  const count = targets.length;
  const client = new End(connect({ port: through.port, host: "127.0.0.1", allowHalfOpen: true }));
  clients.push(client);
  await vi.waitUntil(() => targets.length > count, DEADLINE);
  return { client, target: targets.at(-1)! };
}

const bytesOfSeed = (length: number, seed: number) => Buffer.from(randomVector(length / 4, seed).buffer);

describe("a proxy that is told nothing", () => {
  test("passes everything both ways, and each side's end of the stream", async () => {
    const { client, target } = await join();
    const [up, down] = [bytesOfSeed(3_000_000, 1), bytesOfSeed(2_000_000, 2)];
    client.socket.end(up);
    await vi.waitUntil(() => target.ended, DEADLINE);
    target.socket.end(down);
    await vi.waitUntil(() => client.ended, DEADLINE);
    expect([target.received.equals(up), client.received.equals(down)]).toEqual([true, true]);
    await vi.waitUntil(() => proxy.connections.length === 0, DEADLINE);
    expect(proxy.counts).toEqual({ connections: 1, refused: 0, flipped: 0, inserted: 0, deleted: 0, cut: 0 });
  });

  test("passes on that a side was reset", async () => {
    const { client, target } = await join();
    client.socket.resetAndDestroy();
    await vi.waitUntil(() => target.error !== undefined, DEADLINE);
    expect(target.error).toBe("ECONNRESET");
  });
});

describe("time", () => {
  test("is added to each chunk of a direction, in order", async () => {
    const { client, target } = await join();
    proxy.set({ delayMs: 60 }, "to-target");
    const startedAt = performance.now();
    client.socket.write("a");
    proxy.connections[0]!.set({ delayMs: 0 });
    client.socket.write("b");
    expect(String(await target.until(2))).toBe("ab");
    proxy.set({ delayMs: 60 }, "to-target");
    client.socket.write("c");
    await target.until(3);
    expect(performance.now() - startedAt).toBeGreaterThan(59);
  });

  test("is what a throttled direction takes for its bytes", async () => {
    const { client, target } = await join();
    proxy.set({ bytesPerSecond: 200_000 }, "to-target");
    const startedAt = performance.now();
    client.socket.write(Buffer.alloc(20_000));
    await target.until(1);
    expect(target.bytes, "they trickle").toBeLessThan(20_000);
    await target.until(20_000);
    expect(performance.now() - startedAt).toBeGreaterThan(99);
  });
});

describe("a cut", () => {
  test("resets both sides, or ends both streams", async () => {
    const [first, second] = [await join(), await join()];
    const [one, other] = proxy.connections;
    one!.cut("reset");
    await vi.waitUntil(() => first.client.error !== undefined && first.target.error !== undefined, DEADLINE);
    expect([first.client.error, first.target.error]).toEqual(["ECONNRESET", "ECONNRESET"]);
    other!.cut("end");
    await vi.waitUntil(() => second.client.ended && second.target.ended, DEADLINE);
    expect([second.client.error, second.target.error]).toEqual([undefined, undefined]);
    expect(proxy.counts.cut).toBe(2);
  });

  test("comes after so many bytes more, wherever chunks begin", async () => {
    const { client, target } = await join();
    client.socket.write("before");
    await target.until(6);
    proxy.set({ cutAfterBytes: 100_000 }, "to-target");
    const bytes = bytesOfSeed(200_000, 3);
    client.socket.write(bytes.subarray(0, 70_000));
    await target.until(70_006);
    client.socket.write(bytes.subarray(70_000));
    await vi.waitUntil(() => target.ended, DEADLINE);
    expect(target.received.equals(Buffer.concat([Buffer.from("before"), bytes.subarray(0, 100_000)]))).toBe(true);
    await vi.waitUntil(() => client.ended || client.error !== undefined, DEADLINE);
    expect(proxy.counts.cut).toBe(1);
  });
});

describe("damage", () => {
  const bytes = bytesOfSeed(1_000, 4);

  /** What the target receives of the bytes. */
  async function sendThrough(through: TcpProxy, length: number): Promise<Buffer> {
    const { client, target } = await join(through);
    client.socket.write(bytes);
    return target.until(length);
  }

  test("is one bit, one byte more or one byte less of a chunk", async () => {
    proxy.set({ flip: 1 }, "to-target");
    const flipped = await sendThrough(proxy, 1_000);
    const wrong = [...flipped.entries()].flatMap(([i, byte]) => (byte === bytes[i] ? [] : [byte ^ bytes[i]!]));
    expect(wrong.length).toBe(1);
    expect(Math.log2(wrong[0]!) % 1).toBe(0);
    proxy.set({ flip: 0, insert: 1 });
    expect((await sendThrough(proxy, 1_001)).byteLength).toBe(1_001);
    proxy.set({ insert: 0, delete: 1 });
    expect((await sendThrough(proxy, 999)).byteLength).toBe(999);
    expect(proxy.counts).toMatchObject({ flipped: 1, inserted: 1, deleted: 1 });
    proxy.heal();
    expect((await sendThrough(proxy, 1_000)).equals(bytes)).toBe(true);
  });

  test("is the same for the same seed", async () => {
    const proxies = [await proxyOf(7), await proxyOf(7), await proxyOf(8)];
    const received: string[] = [];
    for (const each of proxies) {
      each.set({ flip: 1, insert: 1 });
      received.push((await sendThrough(each, 1_001)).toString("hex"));
    }
    await Promise.all(proxies.map((each) => each.close()));
    expect(received[1]).toBe(received[0]);
    expect(received[2]).not.toBe(received[0]);
  });
});

describe("a partition", () => {
  test("lets nothing pass in its direction, not even the end, until it is healed", async () => {
    const { client, target } = await join();
    proxy.set({ blackHole: true }, "to-target");
    client.socket.end("from the client");
    for (let i = 1; i <= 20; i++) {
      target.socket.write("x");
      await client.until(i);
    }
    expect([target.bytes, target.ended]).toEqual([0, false]);
    proxy.heal();
    await vi.waitUntil(() => target.ended, DEADLINE);
    expect(String(target.received)).toBe("from the client");
  });

  test("holds the sender back, so that nothing piles up", async () => {
    const { client } = await join();
    proxy.set({ blackHole: true });
    const megabyte = Buffer.alloc(1_000_000);
    // Once all buffers on the way are full, the client keeps what it sends. Were it read on, that would never be much.
    await vi.waitUntil(() => {
      client.socket.write(megabyte);
      return client.socket.writableLength > 10_000_000;
    }, DEADLINE);
    proxy.heal();
    await vi.waitUntil(() => client.socket.writableLength === 0, DEADLINE);
  });
});

test("new connections are refused for a while, and those that stand stay", async () => {
  const { client, target } = await join();
  proxy.refuses = true;
  const refused = new End(connect(proxy.port, "127.0.0.1"));
  await vi.waitUntil(() => refused.socket.closed, DEADLINE);
  expect(refused.bytes).toBe(0);
  client.socket.write("still here");
  expect(String(await target.until(10))).toBe("still here");
  proxy.refuses = false;
  await join();
  expect(proxy.counts).toMatchObject({ connections: 2, refused: 1 });
});

test("conditions hold for connections to come as well", async () => {
  proxy.set({ delete: 1 }, "to-client");
  const { client, target } = await join();
  target.socket.write("abc");
  client.socket.write("abc");
  expect([(await client.until(2)).byteLength, (await target.until(3)).byteLength]).toEqual([2, 3]);
});

test("nothing is left once it is closed, whatever was under way", async () => {
  const inUse = (kind: RegExp) => process.getActiveResourcesInfo().filter((each) => kind.test(each));
  // The server and the proxy of each test. What the tests before have closed takes a moment to go.
  const onlyServersLeft = () => vi.waitUntil(() => inUse(/^TCP/).join() === "TCPServerWrap,TCPServerWrap", DEADLINE);
  await onlyServersLeft();
  const timers = inUse(/Timeout/);
  const other = await proxyOf(1);
  const [{ client }] = [await join(other), await join(other)];
  other.set({ delayMs: 60_000 }, "to-target");
  other.set({ blackHole: true }, "to-client");
  client.socket.write(Buffer.alloc(100_000));
  for (const { socket } of targets) socket.write("held");
  while (inUse(/Timeout/).length === timers.length) await new Promise(setImmediate);
  await other.close();
  await destroyEnds();
  await onlyServersLeft();
  // One of the test runner's own may have gone meanwhile.
  expect(inUse(/Timeout/).length).toBeLessThanOrEqual(timers.length);
});
