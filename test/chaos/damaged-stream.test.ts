import { expect, test, vi } from "vitest";
import type { Frames } from "../../src/shared/protocol/codec.ts";
import { connectZmq } from "../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";
import { uniformFrom } from "../support/floats.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const MESSAGES = 2_000;
const LAST = 1_000_000;

/** A message that says itself what it must be: a number, and two frames that follow from it. */
function messageOf(index: number): Uint8Array[] {
  const uniform = uniformFrom(index);
  const random = (length: number) => Uint8Array.from({ length }, () => uniform() * 256);
  return [Uint8Array.from(new Uint8Array(Uint32Array.of(index).buffer)), random(uniform() * 4_000), random(10)];
}

/** @returns the message's number; fails if it is not whole */
function indexOf(frames: Frames): number {
  const [head] = frames;
  const index = head?.byteLength === 4 ? new Uint32Array(Uint8Array.from(head).buffer)[0]! : NaN;
  const expected = messageOf(index);
  const whole =
    frames.length === expected.length && expected.every((frame, i) => Buffer.compare(frame, frames[i]!) === 0);
  if (!whole) throw new Error(`message ${index} came damaged`);
  return index;
}

test.each([1, 2])(
  "of what passes a proxy that damages bytes, all that arrives is whole (seed %d)",
  async (seed) => {
    const coordinator = await listenZmq("tcp://127.0.0.1:*");
    const proxy = await TcpProxy.listen(Number(coordinator.address.split(":").at(-1)), seed);
    const worker = connectZmq(`tcp://127.0.0.1:${proxy.port}`);
    const up = { arrived: new Map<string, number[]>(), damaged: 0 };
    const down = { arrived: [] as number[], damaged: 0 };
    const failures: unknown[] = [];
    const checked = (take: () => void) => {
      try {
        take();
      } catch (thrown) {
        failures.push(thrown);
      }
    };
    coordinator.start({
      onMessage: (peer, frames) =>
        checked(() => {
          const index = indexOf(frames);
          up.arrived.set(peer, up.arrived.get(peer) ?? []);
          up.arrived.get(peer)!.push(index);
          coordinator.send(peer, messageOf(index));
        }),
      onUnreachable: () => {},
      onDamaged: () => (up.damaged += 1),
    });
    worker.start({
      onMessage: (frames) => checked(() => down.arrived.push(indexOf(frames))),
      onDamaged: () => (down.damaged += 1),
    });
    const answered = (index: number) => {
      worker.send(messageOf(index));
      return down.arrived.includes(index);
    };
    try {
      await vi.waitUntil(() => answered(0), { timeout: 10_000, interval: 5 });
      proxy.set({ flip: 0.05, insert: 0.005, delete: 0.005 });
      for (let index = 1; index <= MESSAGES; index++) {
        worker.send(messageOf(index));
        if (index % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      proxy.heal();
      // Whatever the stream had come to: a frame that never ends is given up after 4 s.
      await vi.waitUntil(() => answered(LAST), { timeout: 20_000, interval: 20 });
    } finally {
      await Promise.all([worker.close(), coordinator.close(), proxy.close()]);
    }
    expect(failures).toEqual([]);
    const { flipped, inserted, deleted, connections } = proxy.counts;
    expect(flipped + inserted + deleted).toBeGreaterThan(10);
    expect(up.damaged).toBeGreaterThan(0);
    expect(down.damaged).toBeGreaterThan(0);
    expect(connections, "a damaged stream is left").toBeGreaterThan(1);
    for (const arrived of up.arrived.values()) expect(arrived).toEqual(arrived.toSorted((a, b) => a - b));
  },
  60_000,
);
