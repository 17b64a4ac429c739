/**
 * What keys cost: round trips of a step's slices between a coordinator and a worker over loopback TCP, plain with
 * checksums and encrypted, in turns.
 *
 *     node --import tsx test/bench/encryption.ts [rounds]
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AllowList } from "../../src/shared/keys/allow-list.ts";
import { newKeyPair } from "../../src/shared/keys/key-pair.ts";
import { publicKeyLine } from "../../src/shared/keys/key-text.ts";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { connectZmq } from "../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";

const ROUNDS = Number(process.argv[2] ?? 7);
const TRIPS = 400;
const PAYLOAD = [SLICES.dense, SLICES.conv].map(({ contributionLength }) => new Uint8Array(contributionLength * 4));

const folder = mkdtempSync(join(tmpdir(), "lockstep-encryption-"));
const [coordinator, worker] = [newKeyPair(), newKeyPair()];
const list = join(folder, "workers.allow");
writeFileSync(list, publicKeyLine({ hex: worker.publicHex, name: "worker" }));

/** @returns milliseconds a round trip: each slice there and back */
async function measure(encrypted: boolean): Promise<number> {
  const server = await listenZmq(
    "tcp://127.0.0.1:*",
    encrypted ? { pair: coordinator, allow: new AllowList(list, "--allow") } : undefined,
  );
  const client = connectZmq(
    server.address,
    encrypted ? { pair: worker, coordinators: [{ hex: coordinator.publicHex, name: "coordinator" }] } : undefined,
  );
  server.start({
    onMessage: (peer, frames) =>
      server.send(
        peer,
        frames.map((frame) => Uint8Array.from(frame)),
      ),
    onUnreachable: () => {},
    onDamaged: () => {},
  });
  const trips = await new Promise<number>((resolve) => {
    let [left, begun] = [TRIPS + 20, 0];
    client.start({
      onMessage: () => {
        if (left === TRIPS) begun = performance.now();
        if (left === 0) resolve((performance.now() - begun) / TRIPS);
        left -= 1;
        if (left >= 0) client.send(PAYLOAD);
      },
      onDamaged: () => {},
    });
    client.send(PAYLOAD);
  });
  await Promise.all([server.close(), client.close()]);
  return trips;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const [plain, encrypted]: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  plain.push(await measure(false));
  encrypted.push(await measure(true));
}
const ratios = encrypted.map((ms, i) => ms / (plain[i] ?? Number.NaN));
const show = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
process.stdout.write(
  `plain ${show(plain)} ms, encrypted ${show(encrypted)} ms a round trip of both slices; ratio ${show(ratios)}\n`,
);
rmSync(folder, { recursive: true });
process.exit();
