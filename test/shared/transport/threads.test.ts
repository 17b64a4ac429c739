import { describe, expect, test } from "vitest";
import type { Frames } from "../../../src/shared/protocol/codec.ts";
import { bytesOf } from "../../../src/shared/protocol/codec.ts";
import { SharedPool } from "../../../src/shared/transport/shared-pool.ts";
import { sharedMemory } from "../../../src/shared/vector/vector-memory.ts";
import { connectThread, ThreadNetwork } from "../../../src/shared/transport/threads.ts";
import { transportCompliance } from "../../compliance/transport.ts";

const HANDLERS = { onMessage: () => {}, onUnreachable: () => {}, onDamaged: () => {} };

let network: ThreadNetwork;

transportCompliance("threads", {
  listen: () => {
    network = new ThreadNetwork();
    return Promise.resolve(network.listen());
  },
  connect: () => connectThread(network.open().end),
});

const floatsOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array =>
  new Float32Array(buffer, byteOffset, byteLength / 4);

describe("a vector of shared memory", () => {
  /** A coordinator that listens, with workers of whom each gives its first message and its memory. */
  function connect(count: number) {
    const here = new ThreadNetwork();
    const coordinator = here.listen();
    coordinator.start(HANDLERS);
    const workers = Array.from({ length: count }, () => {
      const { peer, end } = here.open();
      const transport = connectThread(end);
      const arrived = new Promise<Frames>((resolve) => {
        transport.start({
          ...HANDLERS,
          onMessage: (frames) => {
            if (frames[0]!.byteLength === 1) transport.memory.retain(frames[1]!);
            resolve(frames);
          },
        });
      });
      return { peer, transport, arrived };
    });
    return { coordinator, workers };
  }

  test("arrives where it is, and is free again once all have read it", async () => {
    const { coordinator, workers } = connect(2);
    const vector = coordinator.memory.allocate(10);
    for (const { peer } of workers) coordinator.send(peer, [bytesOf(vector)]);
    coordinator.memory.release(vector);
    const other = coordinator.memory.allocate(10);
    expect(other.byteOffset, "while the first is under way").not.toBe(vector.byteOffset);
    vector[3] = 7;
    for (const { arrived } of workers) {
      const [frame] = await arrived;
      expect(frame!.byteOffset).toBe(vector.byteOffset);
      expect(floatsOf(frame!)[3]).toBe(7);
    }
    await new Promise(setImmediate);
    expect(coordinator.memory.allocate(10).byteOffset).toBe(vector.byteOffset);
    await coordinator.close();
  });

  test("stays as it is while its reader retains it", async () => {
    const { coordinator, workers } = connect(1);
    const [{ peer, transport, arrived }] = workers as [(typeof workers)[0]];
    const vector = coordinator.memory.allocate(10);
    coordinator.send(peer, [Uint8Array.of(1), bytesOf(vector)]);
    coordinator.memory.release(vector);
    const [, frame] = await arrived;
    await new Promise(setImmediate);
    const others = [coordinator.memory.allocate(10), coordinator.memory.allocate(10)];
    expect(others.map(({ byteOffset }) => byteOffset)).not.toContain(vector.byteOffset);
    transport.memory.release(frame!);
    expect(coordinator.memory.allocate(10).byteOffset).toBe(vector.byteOffset);
    await coordinator.close();
  });

  test("of a worker can be kept by the coordinator after the worker has given it back", async () => {
    const here = new ThreadNetwork();
    const coordinator = here.listen();
    const { end } = here.open();
    const worker = connectThread(end);
    worker.start(HANDLERS);
    const kept = new Promise<Uint8Array>((resolve) => {
      coordinator.start({
        ...HANDLERS,
        onMessage: (_peer, [frame]) => {
          coordinator.memory.retain(frame!);
          resolve(frame!);
        },
      });
    });
    const vector = worker.memory.allocate(10).fill(3);
    worker.send([bytesOf(vector)]);
    worker.memory.release(vector);
    const frame = await kept;
    expect(worker.memory.allocate(10).byteOffset).not.toBe(vector.byteOffset);
    const there = coordinator.memory.vectors!.at(frame.byteOffset, 10);
    expect([...there.values]).toEqual(Array.from({ length: 10 }, () => 3));
    coordinator.memory.release(frame);
    expect(worker.memory.allocate(10).byteOffset).toBe(vector.byteOffset);
    await coordinator.close();
  });
});

describe("a pool", () => {
  test("keeps vectors of each length apart, and ignores those of others", () => {
    const pool = new SharedPool(sharedMemory());
    const [long, short] = [pool.allocate(100), pool.allocate(4)];
    expect([long.length, short.length]).toEqual([100, 4]);
    pool.release(short);
    expect(pool.allocate(100)).not.toBe(long);
    expect(pool.allocate(4)).toBe(short);
    const foreign = new Uint8Array(8);
    pool.retain(foreign);
    pool.release(foreign);
    expect([...foreign]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("gives a vector again only when it was released as often as it was allocated and retained", () => {
    const pool = new SharedPool(sharedMemory());
    const vector = pool.allocate(10);
    pool.retain(vector);
    pool.release(vector);
    expect(pool.allocate(10)).not.toBe(vector);
    pool.release(vector);
    expect(pool.allocate(10)).toBe(vector);
  });

  test("never gives out what another pool of the same memory holds, nor a line of it", () => {
    const memory = sharedMemory();
    const pools = [new SharedPool(memory), new SharedPool(memory)];
    const vectors = Array.from({ length: 40 }, (_, i) => pools[i % 2]!.allocate(1 + ((i * 977) % 60_000)));
    for (const [i, vector] of vectors.entries()) vector.fill(i);
    for (const [i, vector] of vectors.entries()) expect(new Set(vector)).toEqual(new Set([i]));
    for (const { byteOffset } of vectors) expect(byteOffset % 64).toBe(0);
  });
});
