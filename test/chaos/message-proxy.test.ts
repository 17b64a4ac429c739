import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectZmq } from "../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";
import type { CoordinatorTransport, PeerId, WorkerTransport } from "../../src/shared/transport/transport.ts";
import { MessageProxy } from "./message-proxy.ts";

/** Between the real ends: a frame that is not as it was sent would be told to be damaged. */

const DEADLINE = { timeout: 10_000, interval: 2 };

let coordinator: CoordinatorTransport;
let proxy: MessageProxy;
let workers: WorkerTransport[];
let received: { readonly peer: PeerId; readonly text: string }[];
let unreachable: PeerId[];
let damaged: unknown[];

beforeEach(async () => {
  [workers, received, unreachable, damaged] = [[], [], [], []];
  coordinator = await listenZmq("tcp://127.0.0.1:*");
  coordinator.start({
    onMessage: (peer, [frame]) => received.push({ peer, text: String(frame) }),
    onUnreachable: (peer) => unreachable.push(peer),
    onDamaged: (...told) => damaged.push(told),
  });
  proxy = await MessageProxy.listen(coordinator.address);
});

afterEach(async () => {
  await Promise.all([...workers, coordinator, proxy].map((each) => each.close()));
  expect(damaged).toEqual([]);
});

async function join(name: string) {
  const worker = connectZmq(proxy.address);
  workers.push(worker);
  const heard: string[] = [];
  worker.start({
    onMessage: ([frame]) => heard.push(String(frame)),
    onDamaged: (problem) => damaged.push(problem),
  });
  worker.send([Buffer.from(name)]);
  await vi.waitUntil(() => received.some(({ text }) => text === name), DEADLINE);
  const { peer } = received.find(({ text }) => text === name)!;
  return { worker, peer, heard };
}

/** What has come from a peer, as numbers. */
const numbersFrom = (peer: PeerId) =>
  received.flatMap((message) => (message.peer === peer && /^\d+$/.test(message.text) ? [Number(message.text)] : []));

const NUMBERS = Array.from({ length: 200 }, (_, i) => i);
const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);
const frame = (content: unknown) => [Buffer.from(String(content)), new Uint8Array(0), new Uint8Array(1_000)];

test("a proxy that is told nothing passes all messages, and keeps the workers apart", async () => {
  const [a, b] = [await join("a"), await join("b")];
  expect(a.peer).not.toBe(b.peer);
  for (const i of NUMBERS) {
    a.worker.send(frame(i));
    b.worker.send(frame(1_000 + i));
    coordinator.send(a.peer, frame(`a ${i}`));
    coordinator.send(b.peer, frame(`b ${i}`));
  }
  await vi.waitUntil(() => [a, b].every(({ heard, peer }) => heard.length + numbersFrom(peer).length >= 400), DEADLINE);
  expect(numbersFrom(a.peer)).toEqual(NUMBERS);
  expect(numbersFrom(b.peer)).toEqual(NUMBERS.map((i) => 1_000 + i));
  expect([a.heard, b.heard]).toEqual(["a", "b"].map((name) => NUMBERS.map((i) => `${name} ${i}`)));
  expect(proxy.counts).toMatchObject({ dropped: 0, duplicated: 0, delayed: 0, reordered: 0, undeliverable: 0 });
});

describe("messages of one direction are", () => {
  /** Sends the numbers to the coordinator, and "end" behind them. */
  async function sendNumbers({ worker, peer }: Awaited<ReturnType<typeof join>>, expected: () => number) {
    for (const i of NUMBERS) worker.send(frame(i));
    await vi.waitUntil(() => numbersFrom(peer).length === expected(), DEADLINE);
    proxy.heal();
    worker.send(frame("end"));
    await vi.waitUntil(() => received.some(({ text }) => text === "end"), DEADLINE);
    expect(numbersFrom(peer).length, "no more has come").toBe(expected());
    return numbersFrom(peer);
  }

  test("dropped", async () => {
    const a = await join("a");
    proxy.set({ drop: 0.3 }, "to-coordinator");
    for (const i of NUMBERS) coordinator.send(a.peer, frame(i));
    const arrived = await sendNumbers(a, () => NUMBERS.length - proxy.counts.dropped);
    expect(proxy.counts.dropped).toBeGreaterThan(20);
    expect(arrived).toEqual(ascending(arrived));
    await vi.waitUntil(() => a.heard.length === NUMBERS.length, DEADLINE);
  });

  test("duplicated", async () => {
    const a = await join("a");
    proxy.set({ duplicate: 0.3 }, "to-coordinator");
    const arrived = await sendNumbers(a, () => NUMBERS.length + proxy.counts.duplicated);
    expect(proxy.counts.duplicated).toBeGreaterThan(20);
    expect([...new Set(arrived)]).toEqual(NUMBERS);
  });

  test("delayed, in their order", async () => {
    const a = await join("a");
    proxy.set({ delay: 0.3, delayMs: 10 }, "to-coordinator");
    expect(await sendNumbers(a, () => NUMBERS.length)).toEqual(NUMBERS);
    expect(proxy.counts.delayed).toBeGreaterThan(20);
  });

  test("overtaken by others", async () => {
    const a = await join("a");
    proxy.set({ reorder: 0.3, delayMs: 10 }, "to-coordinator");
    const arrived = await sendNumbers(a, () => NUMBERS.length);
    expect(arrived).not.toEqual(NUMBERS);
    expect(ascending(arrived)).toEqual(NUMBERS);
    expect(proxy.counts.reordered).toBeGreaterThan(20);
  });
});

test("a worker that is gone is gone for the coordinator too", async () => {
  const [a, b] = [await join("a"), await join("b")];
  await a.worker.close();
  await vi.waitUntil(() => {
    coordinator.send(a.peer, frame("are you there?"));
    return unreachable.length > 0;
  }, DEADLINE);
  expect(new Set(unreachable)).toEqual(new Set([a.peer]));
  coordinator.send(b.peer, frame("go on"));
  await vi.waitUntil(() => b.heard.includes("go on"), DEADLINE);
});

test("nothing is passed on once it is closed, whatever was held", async () => {
  const a = await join("a");
  proxy.set({ reorder: 1, delayMs: 60_000 });
  for (const i of NUMBERS) a.worker.send(frame(i));
  await vi.waitUntil(() => proxy.counts.reordered >= NUMBERS.length, DEADLINE);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  await proxy.close();
  expect(timers()).toBe(before - 1);
  expect(numbersFrom(a.peer)).toEqual([]);
});
