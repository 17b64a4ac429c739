import { expect, test } from "vitest";
import { addUser, removeUser, SharedPool } from "../../../src/shared/transport/shared-pool.ts";
import { connectThread, ThreadNetwork } from "../../../src/shared/transport/threads.ts";
import { transportCompliance } from "../../compliance/transport.ts";

let network: ThreadNetwork;

transportCompliance("threads", {
  listen: () => {
    network = new ThreadNetwork();
    return Promise.resolve(network.listen());
  },
  connect: () => connectThread(network.open().port),
});

test("a vector of shared memory arrives without a copy, and is free again once all have read it", async () => {
  const here = new ThreadNetwork();
  const coordinator = here.listen();
  coordinator.start({ onMessage: () => {}, onUnreachable: () => {} });
  const connections = [here.open(), here.open()];
  const arrived: Promise<ArrayBufferLike>[] = connections.map(({ port }) => {
    const worker = connectThread(port);
    return new Promise((resolve) => worker.start(([frame]) => resolve(frame!.buffer)));
  });
  const vector = coordinator.memory.allocate(10);
  for (const { peer } of connections) coordinator.send(peer, [new Uint8Array(vector.buffer, vector.byteOffset, 40)]);
  coordinator.memory.release(vector);
  const other = coordinator.memory.allocate(10);
  expect(other.buffer, "while the first is under way").not.toBe(vector.buffer);
  vector[3] = 7;
  const buffers = await Promise.all(arrived);
  for (const buffer of buffers) expect(new Float32Array(buffer, vector.byteOffset, 10)[3]).toBe(7);
  await new Promise(setImmediate);
  expect(coordinator.memory.allocate(10).buffer).toBe(vector.buffer);
  await coordinator.close();
});

test("a pool keeps vectors of each length apart, and ignores those of others", () => {
  const pool = new SharedPool();
  const [long, short] = [pool.allocate(100), pool.allocate(4)];
  expect([long.length, short.length]).toEqual([100, 4]);
  pool.release(short);
  expect(pool.allocate(100)).not.toBe(long);
  expect(pool.allocate(4)).toBe(short);
  const foreign = new Uint8Array(8);
  addUser(foreign);
  removeUser(foreign);
  expect([...foreign]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});
