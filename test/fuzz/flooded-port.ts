import { setTimeout as delay } from "node:timers/promises";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";
import { message, RawPeer } from "./zmtp.ts";

/**
 * A coordinator's transport that is too busy to read, as in a long step, while peers send more than may wait and then cut
 * their connections. In a process of its own: libzmq may abort it. Says "alive" when it has stood that.
 */

const PEERS = 20;
/** Of more than one heartbeat. */
const BUSY_MS = 3_000;

const transport = await listenZmq("tcp://127.0.0.1:*");
const port = Number(/:(\d+)$/.exec(transport.address)?.[1]);
const flood = Buffer.concat(Array<Buffer>(300_000).fill(message([new Uint8Array(20)])));
const peers = await Promise.all(Array.from({ length: PEERS }, () => RawPeer.introduced(port)));
// The last of it is never sent: the system's buffers are full.
for (const peer of peers) void peer.send(flood);
await delay(1_500);
for (const peer of peers) peer.cut();
await delay(BUSY_MS);

let received = 0;
await new Promise<void>((resolve) => {
  const count = (): void => {
    received += 1;
    if (received === PEERS * 60) resolve();
  };
  transport.start({ onMessage: count, onDamaged: count, onUnreachable: () => {} });
});
process.stdout.write("alive\n");
await transport.close();
process.exit();
