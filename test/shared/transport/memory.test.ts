import { beforeEach, describe, expect, test } from "vitest";
import {
  type Fate,
  MemoryNetwork,
  type MemoryWorkerTransport,
  type Passage,
} from "../../../src/shared/transport/memory.ts";
import type { CoordinatorTransport, WorkerTransport } from "../../../src/shared/transport/transport.ts";
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

describe("by hand", () => {
  let heard: string[];
  let network: MemoryNetwork;
  let coordinator: CoordinatorTransport;
  const never = () => {};

  /** A network that delivers only what it is told to. */
  function open(fate?: (passage: Passage) => Fate): void {
    heard = [];
    network = new MemoryNetwork(fate, never);
    coordinator = listen("");
  }

  function listen(name: string): CoordinatorTransport {
    const listening = network.listen();
    listening.start({
      onMessage: (peer, frames) => heard.push(`${name}${peer}: ${String(frames[0])}`),
      onUnreachable: (peer) => heard.push(`${name}no ${peer}`),
      onDamaged: never,
    });
    return listening;
  }

  function connect(): MemoryWorkerTransport {
    const end = network.connect();
    end.start({ onMessage: (frames) => heard.push(`to ${end.peer}: ${String(frames[0])}`), onDamaged: never });
    return end;
  }

  const say = (end: WorkerTransport, ...numbers: readonly number[]) => {
    for (const number of numbers) end.send([Uint8Array.of(number)]);
  };
  const tell = (peer: string, number: number) => coordinator.send(peer, [Uint8Array.of(number)]);
  const last = (count: number) => count - 1;

  test("whoever delivers chooses whose message comes next, and each connection stays in order", () => {
    open();
    const [a, b] = [connect(), connect()];
    say(a, 1, 2);
    say(b, 3, 4);
    tell(a.peer, 5);
    expect([1, 2, 3, 4, 5, 6].map(() => network.deliver(last))).toEqual([true, true, true, true, true, false]);
    expect(heard).toEqual(["to memory-1: 5", "memory-2: 3", "memory-2: 4", "memory-1: 1", "memory-1: 2"]);
  });

  test("what is held waits, and so does what follows it, until it is let go", () => {
    let held = true;
    open(({ frames }) => ({ copies: 1, delay: 0, held: () => held && frames[0]?.[0] === 1 }));
    const [a, b] = [connect(), connect()];
    say(a, 1, 2);
    say(b, 3);
    expect([network.deliver(), network.deliver(), network.pending]).toEqual([true, false, 2]);
    held = false;
    while (network.deliver());
    expect(heard).toEqual(["memory-2: 3", "memory-1: 1", "memory-1: 2"]);
  });

  test("copies may come apart, after what was sent later", () => {
    open(() => ({ copies: 2, delay: 0, apart: 3 }));
    say(connect(), 1, 2);
    while (network.pending > 0) network.deliver();
    expect(heard.map((text) => text.at(-1))).toEqual(["1", "2", "1", "2"]);
  });

  test("a connection that breaks comes back under another name", () => {
    open();
    const end = connect();
    say(end, 1, 2);
    tell("memory-1", 3);
    end.reconnect(({ direction, frames }) => direction === "to-coordinator" && frames[0]?.[0] === 1);
    tell("memory-1", 4);
    say(end, 5);
    tell(end.peer, 6);
    while (network.deliver());
    // Of what was under way only the 1 had arrived; the 4 finds nobody.
    expect(heard).toEqual(["memory-1: 1", "no memory-1", "memory-2: 5", "to memory-2: 6"]);
  });

  test("another coordinator gets what was sent to nobody, from workers with new names", async () => {
    open();
    const [a, b] = [connect(), connect()];
    say(a, 1, 2);
    tell(b.peer, 3);
    network.deliver();
    await coordinator.close();
    while (network.deliver());
    expect([heard, network.pending]).toEqual([["memory-1: 1", "to memory-2: 3"], 1]);
    coordinator = listen("next ");
    say(b, 4);
    tell("memory-1", 5);
    tell(a.peer, 6);
    while (network.deliver());
    expect(heard.slice(2)).toEqual(["next memory-3: 2", "next memory-4: 4", "next no memory-1", "to memory-3: 6"]);
  });

  test("what is under way can be lost", () => {
    open();
    say(connect(), 1, 2, 3);
    network.lose(({ frames }) => frames[0]?.[0] === 2);
    while (network.deliver());
    expect(heard).toEqual(["memory-1: 1", "memory-1: 3"]);
  });
});
