import { beforeEach, describe, expect, test } from "vitest";
import { type Fate, MemoryNetwork, type Passage } from "../../../src/shared/transport/memory.ts";
import type { WorkerTransport } from "../../../src/shared/transport/transport.ts";
import { transportCompliance } from "../../compliance/transport.ts";

const HANDLERS = { onMessage: () => {}, onUnreachable: () => {}, onDamaged: () => {} };

let shared: MemoryNetwork;
transportCompliance("memory", {
  listen: () => {
    shared = new MemoryNetwork();
    return Promise.resolve(shared.listen());
  },
  connect: () => shared.connect(),
});

describe("fate", () => {
  let received: string[];
  let worker: WorkerTransport;
  let network: MemoryNetwork;

  function open(fate: (passage: Passage) => Fate): void {
    network = new MemoryNetwork(fate);
    const coordinator = network.listen();
    coordinator.start({
      onMessage: (peer, [frame]) => {
        received.push(text(frame));
        coordinator.send(peer, [Buffer.from(`re: ${text(frame)}`)]);
      },
      onUnreachable: () => {},
      onDamaged: (peer, problem) => received.push(`${peer}: ${problem}`),
    });
    worker = network.connect();
    worker.start({
      onMessage: ([frame]) => received.push(text(frame)),
      onDamaged: (problem) => received.push(problem),
    });
  }

  const text = (frame: Uint8Array | undefined) => Buffer.from(frame ?? []).toString();

  async function send(...texts: readonly string[]): Promise<string[]> {
    for (const each of texts) worker.send([Buffer.from(each)]);
    while (network.pending > 0) await new Promise(setImmediate);
    return received;
  }

  beforeEach(() => {
    received = [];
  });

  test("may drop a message", async () => {
    open(({ frames }) => ({ copies: text(frames[0]) === "b" ? 0 : 1, delay: 0 }));
    expect((await send("a", "b", "c")).filter((each) => each.length === 1)).toEqual(["a", "c"]);
  });

  test("may deliver a message more than once", async () => {
    open(({ direction }) => ({ copies: direction === "to-worker" ? 2 : 1, delay: 0 }));
    expect(await send("a")).toEqual(["a", "re: a", "re: a"]);
  });

  test("may delay a message, so that later ones overtake it", async () => {
    open(({ frames }) => ({ copies: 1, delay: text(frames[0]) === "a" ? 3 : 0 }));
    expect((await send("a", "b", "c")).filter((each) => each.length === 1)).toEqual(["b", "c", "a"]);
  });

  test("may damage a message on either way, which is told in its place", async () => {
    open(({ frames }) => ({ copies: 1, delay: 0, damaged: text(frames[0]) !== "a" }));
    const told = "a message was damaged on its way: the network was told to";
    expect(await send("a", "b")).toEqual(["a", `memory-1: ${told}`, told]);
  });

  test("is asked with direction and peer", async () => {
    const passages: string[] = [];
    open(({ direction, peer }) => {
      passages.push(`${peer} ${direction}`);
      return { copies: 1, delay: 0 };
    });
    await send("a");
    expect(passages).toEqual(["memory-1 to-coordinator", "memory-1 to-worker"]);
  });
});

test("what is sent before anyone listens waits, and costs nothing", async () => {
  const network = new MemoryNetwork();
  const worker = network.connect();
  worker.start(HANDLERS);
  worker.send([Buffer.from("early")]);
  const immediates = () => process.getActiveResourcesInfo().filter((kind) => kind === "Immediate").length;
  expect([network.pending, immediates()]).toEqual([1, 0]);
  const received: Uint8Array[] = [];
  network.listen().start({ ...HANDLERS, onMessage: (_, [frame]) => received.push(frame!) });
  while (network.pending > 0) await new Promise(setImmediate);
  expect(received.map(String)).toEqual(["early"]);
});

test("a second coordinator is a mistake while the first is open, and none after that", async () => {
  const network = new MemoryNetwork();
  const first = network.listen();
  first.start(HANDLERS);
  expect(() => network.listen().start(HANDLERS)).toThrow("one coordinator");
  await first.close();
  network.listen().start(HANDLERS);
});
