import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Frames } from "../../src/shared/protocol/codec.ts";
import type { CoordinatorTransport, PeerId, WorkerTransport } from "../../src/shared/transport/transport.ts";
import { uniformFrom } from "../support/floats.ts";

/** A place where one coordinator listens and workers connect. */
export interface NetworkUnderTest {
  listen(): Promise<CoordinatorTransport>;
  connect(address: string): WorkerTransport;
}

/** Nothing here takes longer than a moment; a machine that is busy with other tests may. */
const DEADLINE = { timeout: 10_000, interval: 2 };

/** Everything that every transport must do. */
export function transportCompliance(name: string, network: NetworkUnderTest): void {
  describe(`${name} transport`, () => {
    let coordinator: CoordinatorTransport;
    let received: { peer: PeerId; text: string; frames: Frames }[];
    let unreachable: PeerId[];
    let damaged: unknown[];
    let open: { close(): Promise<void> }[];

    beforeEach(async () => {
      [received, unreachable, damaged] = [[], [], []];
      coordinator = await network.listen();
      open = [coordinator];
      coordinator.start({
        onMessage: (peer, frames) => received.push({ peer, text: textOf(frames[0]), frames }),
        onUnreachable: (peer) => unreachable.push(peer),
        onDamaged: (...told) => damaged.push(told),
      });
    });

    afterEach(async () => {
      await Promise.all(open.map((end) => end.close()));
      expect(damaged, "told to be damaged").toEqual([]);
    });

    /** A worker that is connected, and what it has heard. */
    async function join(id: string) {
      const worker = network.connect(coordinator.address);
      open.push(worker);
      const heard: Frames[] = [];
      worker.start({ onMessage: (frames) => heard.push(frames), onDamaged: (problem) => damaged.push(problem) });
      // As workers do: greet until somebody answers.
      await vi.waitUntil(() => {
        worker.send([bytes(`hello ${id}`)]);
        return received.some(({ text }) => text === `hello ${id}`);
      }, DEADLINE);
      const { peer } = received.find(({ text }) => text === `hello ${id}`)!;
      return { worker, heard, peer };
    }

    const said = (peer: PeerId) =>
      received.filter((message) => message.peer === peer && !message.text.startsWith("hello"));

    test("carries messages both ways, whole and in order", async () => {
      const { worker, heard, peer } = await join("a");
      for (let i = 0; i < 150; i++) {
        worker.send([bytes(`up ${i}`), bytes(""), bytes("x".repeat(i))]);
        coordinator.send(peer, [bytes(`down ${i}`), bytes("y".repeat(i * 7))]);
      }
      await vi.waitUntil(() => said(peer).length >= 150 && heard.length >= 150, DEADLINE);
      const up = said(peer).map(({ frames }) => frames.map(textOf));
      expect(up).toEqual(Array.from({ length: 150 }, (_, i) => [`up ${i}`, "", "x".repeat(i)]));
      expect(heard.map((frames) => frames.map(textOf))).toEqual(
        Array.from({ length: 150 }, (_, i) => [`down ${i}`, "y".repeat(i * 7)]),
      );
    });

    test("carries frames as large as a slice, many at a time, unharmed", async () => {
      const { worker, heard, peer } = await join("a");
      const uniform = uniformFrom(1);
      const frames = [1, 236_716, 900_000, 236_720].map((length) => Uint8Array.from({ length }, () => uniform() * 256));
      for (let i = 0; i < 5; i++) {
        worker.send(frames);
        coordinator.send(peer, frames);
      }
      await vi.waitUntil(() => said(peer).length >= 5 && heard.length >= 5, DEADLINE);
      for (const message of [...said(peer).map((each) => each.frames), ...heard]) {
        expect(message.map((frame) => Buffer.compare(frame, frames[message.indexOf(frame)]!))).toEqual([0, 0, 0, 0]);
      }
    });

    test("keeps many workers apart", async () => {
      const workers = await Promise.all(Array.from({ length: 12 }, (_, i) => join(`w${i}`)));
      expect(new Set(workers.map(({ peer }) => peer)).size).toBe(12);
      for (const [i, { worker, peer }] of workers.entries()) {
        worker.send([bytes(`from ${i}`)]);
        coordinator.send(peer, [bytes(`to ${i}`)]);
      }
      await vi.waitUntil(() => workers.every(({ heard, peer }) => heard.length > 0 && said(peer).length > 0), DEADLINE);
      for (const [i, { heard, peer }] of workers.entries()) {
        expect(said(peer).map(({ text }) => text)).toEqual([`from ${i}`]);
        expect(heard.map(([frame]) => textOf(frame))).toEqual([`to ${i}`]);
      }
    });

    test("tells when a peer is gone, and goes on with the others", async () => {
      const [a, b] = [await join("a"), await join("b")];
      await a.worker.close();
      await vi.waitUntil(() => {
        coordinator.send(a.peer, [bytes("are you there?")]);
        return unreachable.length > 0;
      }, DEADLINE);
      expect(new Set(unreachable)).toEqual(new Set([a.peer]));
      coordinator.send(b.peer, [bytes("go on")]);
      b.worker.send([bytes("I do")]);
      await vi.waitUntil(() => b.heard.length > 0 && said(b.peer).length > 0, DEADLINE);
    });

    test("takes a worker that comes back for another peer", async () => {
      const first = await join("a");
      await first.worker.close();
      const second = await join("a again");
      expect(second.peer).not.toBe(first.peer);
    });

    test("delivers what a worker sent before it closed", async () => {
      const { worker, peer } = await join("a");
      for (let i = 0; i < 20; i++) worker.send([bytes(`last words ${i}`), new Uint8Array(10_000)]);
      await worker.close();
      await vi.waitUntil(() => said(peer).length >= 20, DEADLINE);
      expect(said(peer).map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, i) => `last words ${i}`));
    });

    test("neither delivers nor sends anything once it is closed", async () => {
      const [a, b] = [await join("a"), await join("b")];
      for (let i = 0; i < 20; i++) {
        a.worker.send([bytes("on its way")]);
        coordinator.send(b.peer, [bytes("on its way")]);
      }
      await Promise.all([coordinator.close(), b.worker.close()]);
      const before = [received.length, b.heard.length];
      coordinator.send(a.peer, [bytes("too late")]);
      b.worker.send([bytes("too late")]);
      a.worker.send([bytes("nobody listens")]);
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      expect([received.length, b.heard.length]).toEqual(before);
      expect(a.heard).toEqual([]);
      expect(unreachable).toEqual([]);
    });

    test("delivers what the coordinator sent before it closed", async () => {
      const workers = [await join("a"), await join("b")];
      for (const { peer } of workers) {
        for (let i = 0; i < 20; i++) coordinator.send(peer, [bytes(`stop ${i}`), new Uint8Array(10_000)]);
      }
      await coordinator.close();
      await vi.waitUntil(() => workers.every(({ heard }) => heard.length >= 20), DEADLINE);
    });
  });
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const textOf = (frame: Uint8Array | undefined): string => Buffer.from(frame ?? []).toString();
