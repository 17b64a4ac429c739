/** Opens every transport, exchanges a message over each, closes them all, and must then end without being told to. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AllowList } from "../../src/shared/keys/allow-list.ts";
import { newKeyPair } from "../../src/shared/keys/key-pair.ts";
import { publicKeyLine } from "../../src/shared/keys/key-text.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import { connectThread, ThreadNetwork } from "../../src/shared/transport/threads.ts";
import type { CoordinatorTransport, WorkerTransport } from "../../src/shared/transport/transport.ts";
import { connectZmq } from "../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";

async function exchange(coordinator: CoordinatorTransport, worker: WorkerTransport): Promise<void> {
  await new Promise<void>((resolve) => {
    coordinator.start({
      onMessage: (peer) => coordinator.send(peer, [Buffer.from("welcome")]),
      onUnreachable: () => {},
      onDamaged: () => {},
    });
    const timer = setInterval(() => worker.send([Buffer.from("hello")]), 5);
    worker.start({
      onMessage: () => {
        clearInterval(timer);
        resolve();
      },
      onDamaged: () => {},
    });
  });
  // Something is still under way when the ends close.
  for (let i = 0; i < 10; i++) worker.send([new Uint8Array(100_000)]);
  await Promise.all([coordinator.close(), worker.close()]);
}

const network = new MemoryNetwork();
await exchange(network.listen(), network.connect());
const threads = new ThreadNetwork();
await exchange(threads.listen(), connectThread(threads.open().end));

const folder = mkdtempSync(join(tmpdir(), "lockstep-exit-"));
const [ours, theirs] = [newKeyPair(), newKeyPair()];
const list = join(folder, "workers.allow");
writeFileSync(list, publicKeyLine({ hex: theirs.publicHex, name: "worker" }));
const listening = { pair: ours, allow: new AllowList(list, "--allow") };
const connecting = { pair: theirs, coordinators: [{ hex: ours.publicHex, name: "coordinator" }] };
for (const address of ["tcp://127.0.0.1:*", `ipc://${join(folder, "socket")}`]) {
  const plain = await listenZmq(address);
  await exchange(plain, connectZmq(plain.address));
  const keyed = await listenZmq(address, listening);
  await exchange(keyed, connectZmq(keyed.address, connecting));
}
rmSync(folder, { recursive: true, force: true });
console.log("all closed");
