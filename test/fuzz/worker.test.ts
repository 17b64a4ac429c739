import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { NoOpEngine } from "../../src/bench/no-op-engine.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { encode } from "../../src/shared/protocol/codec.ts";
import { type CoordinatorMessage, coordinatorHeader } from "../../src/shared/protocol/messages.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import type { PeerId } from "../../src/shared/transport/transport.ts";
import { Worker } from "../../src/worker/worker.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";
import { fuzzedFrames } from "./message-cases.ts";
import { welcomeOf } from "../support/welcome.ts";

const SESSION = "c/1";
const CASES = 1_000;

const unhandled: unknown[] = [];
const note = (thrown: unknown): void => void unhandled.push(thrown);
process.on("unhandledRejection", note);
afterEach(() => {
  process.off("unhandledRejection", note);
});

const WELCOME = welcomeOf({ session: SESSION, name: "w", runId: "r", shardSize: 8 });
/** Of a run that is over, of one that refuses the worker, and of one that was interrupted. */
const ENDS = [0, 1, 4, 143];

test("a worker comes to an end of its own, whatever its coordinator sends", async () => {
  const dataset = syntheticDataset(20, 20);
  const seed = Math.trunc(Math.random() * 2 ** 31);
  const cases = fc.sample(fuzzedFrames(coordinatorHeader), { numRuns: CASES, seed });
  let sent = 0;
  let workers = 0;
  while (sent < CASES) {
    workers += 1;
    const network = new MemoryNetwork();
    const coordinator = network.listen();
    const life = { hasEnded: false };
    let peer: PeerId = "";
    const greeted = new Promise<void>((resolve) => {
      coordinator.start({
        onMessage: (from) => {
          peer = from;
          resolve();
        },
        onUnreachable: () => {},
        onDamaged: () => {},
      });
    });
    const worker = new Worker({
      ...{ transport: network.connect(), address: "here", engine: new NoOpEngine(), dataset, clock: systemClock },
      ...{ coordinatorTimeoutMs: 20_000, say: () => {} },
    });
    const ended = worker.run().finally(() => {
      life.hasEnded = true;
    });
    await greeted;
    const tell = (message: CoordinatorMessage): void => coordinator.send(peer, encode(message));
    while (!life.hasEnded && sent < CASES) {
      // Most of them leave their session, and greet again.
      tell(WELCOME);
      coordinator.send(peer, cases[sent]!);
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    tell(WELCOME);
    tell({ type: "stop", session: SESSION, reason: "done" });
    const { code, text } = await ended;
    expect(ENDS, `seed ${seed}: ${text}`).toContain(code);
    await coordinator.close();
  }
  expect(workers).toBeLessThan(CASES);
  expect(unhandled, `seed ${seed}`).toEqual([]);
}, 60_000);
