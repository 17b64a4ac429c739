import { afterEach, beforeEach, expect, test } from "vitest";
import { Coordinator } from "../../src/coordinator/coordinator.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { summarise } from "../../src/shared/data/dataset.ts";
import { modelDigest } from "../../src/shared/model/digest.ts";
import { decodeFromCoordinator, encode } from "../../src/shared/protocol/codec.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import type { WorkerTransport } from "../../src/shared/transport/transport.ts";
import { SAMPLE } from "../support/messages.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";

/** What a coordinator tells of itself while it runs: the shell alone, with a worker made by hand. */

const dataset = summarise(syntheticDataset(64, 10));
const clock = { ms: 1_000, now: () => clock.ms, every: () => () => {} };
let coordinator: Coordinator;
let worker: WorkerTransport;
let heard: CoordinatorMessage[];
let waiting: (() => void) | undefined;
let result: Promise<unknown>;

beforeEach(() => {
  const network = new MemoryNetwork();
  const config = configFrom("train", { epochs: 1 });
  clock.ms = 1_000;
  const transport = network.listen();
  coordinator = new Coordinator({ config, dataset, transport, clock, runDir: "runs/test", onEvent: () => {} });
  worker = network.connect();
  [heard, waiting] = [[], undefined];
  worker.start({
    onMessage: (frames) => {
      heard.push(decodeFromCoordinator(frames).header);
      waiting?.();
    },
    onDamaged: () => {},
  });
});

afterEach(async () => {
  coordinator.interrupt("SIGTERM");
  coordinator.giveUp("the test is over");
  await result;
  await worker.close();
});

/** Begins the run, and is welcomed. */
async function begin(): Promise<void> {
  result = coordinator.run().catch(() => undefined);
  tell({ ...SAMPLE.hello, dataDigest: dataset.digest, modelDigest: modelDigest() });
  await heardOf("welcome");
}

function tell(message: WorkerMessage): void {
  worker.send(encode(message));
}

async function heardOf<Type extends CoordinatorMessage["type"]>(type: Type) {
  for (;;) {
    const found = heard.find((message) => message.type === type);
    if (found !== undefined) return found as Extract<CoordinatorMessage, { type: Type }>;
    await new Promise<void>((resolve) => (waiting = resolve));
  }
}

test("it is ready for workers from the beginning of the run to its end", async () => {
  expect(coordinator.unready()).toMatch(/has not begun/);
  await begin();
  expect(coordinator.unready()).toBe(undefined);
  coordinator.giveUp("no more");
  expect(coordinator.unready()).toMatch(/is over/);
});

test("its roster tells what each worker is doing and since when nothing was heard of it", async () => {
  await begin();
  clock.ms += 250;
  expect(coordinator.roster()).toMatchObject([{ name: "worker-1", state: "joining", silentMs: 250 }]);
  tell({ type: "ready", session: (await heardOf("welcome")).session });
  await heardOf("assign");
  clock.ms += 750;
  expect(coordinator.roster()).toMatchObject([{ name: "worker-1", state: "ready", silentMs: 750 }]);
  expect(coordinator.status()).toMatchObject({ phase: "training", workers: [{ name: "worker-1", state: "ready" }] });
});

test("it counts messages both ways, but for those that nobody understands", async () => {
  await begin();
  tell({ type: "ready", session: (await heardOf("welcome")).session });
  await heardOf("assign");
  const { sent, received } = coordinator.traffic;
  expect(received.byType.get("hello")).toMatchObject({ messages: 1 });
  expect(received.byType.get("ready")).toMatchObject({ messages: 1 });
  expect(sent.byType.get("welcome")).toMatchObject({ messages: 1 });
  // Both slices of the parameters and the indices of 64 samples go along.
  expect(sent.byType.get("assign")?.bytes).toBeGreaterThan(4 * (61_750 + 64));
  const before = [...received.byType.values()].reduce((sum, { messages }) => sum + messages, 0);
  worker.send([Buffer.from("nonsense")]);
  await heardOf("rejected");
  expect([...received.byType.values()].reduce((sum, { messages }) => sum + messages, 0)).toBe(before);
});
