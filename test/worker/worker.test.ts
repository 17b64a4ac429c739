import { afterEach, beforeEach, expect, test } from "vitest";
import { type SliceName, SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { type Decoded, decodeFromWorker, encode } from "../../src/shared/protocol/codec.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { firstShard } from "../../src/shared/reduction/tree.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import type { CoordinatorTransport, PeerId } from "../../src/shared/transport/transport.ts";
import type { Engine } from "../../src/worker/engines/engine.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { Worker, type WorkerEnd, type WorkerNews } from "../../src/worker/worker.ts";
import { engineWith } from "../support/engine-with.ts";
import { NO_TIME } from "../support/messages.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";
import { welcomeOf } from "../support/welcome.ts";

const dataset = syntheticDataset(140, 10);
const session = "c/1";
let network: MemoryNetwork;
let coordinator: CoordinatorTransport;
let heard: Decoded<WorkerMessage>[];
let workerPeer: PeerId;
let waiting: (() => void) | undefined;
let worker: Worker;
let end: Promise<WorkerEnd>;
let greeting: WorkerMessage;
let told: WorkerNews[];

async function start(engine: Engine, driver?: string): Promise<void> {
  worker = new Worker({
    ...{ transport: network.connect(), address: coordinator.address, engine, dataset, coordinatorTimeoutMs: 1_000 },
    // Time stands still: nothing here is for the clock to decide.
    clock: { now: () => 0, every: () => () => {} },
    say: () => {},
    log: (news) => told.push(news),
    ...(driver === undefined ? {} : { driver }),
  });
  end = worker.run();
  greeting = (await next("hello")).header;
}

beforeEach(() => {
  [heard, waiting, told] = [[], undefined, []];
  network = new MemoryNetwork();
  coordinator = network.listen();
  coordinator.start({
    onMessage: (peer, frames) => {
      workerPeer = peer;
      heard.push(decodeFromWorker(frames));
      waiting?.();
    },
    onUnreachable: () => {},
    onDamaged: () => {},
  });
});

afterEach(async () => {
  worker.interrupt("SIGTERM");
  coordinator.send(workerPeer, encode({ type: "stop", session, reason: "left" }));
  await end;
});

/** The first message of this type that has not been taken yet, as soon as it comes. */
async function next<Type extends WorkerMessage["type"]>(type: Type) {
  for (;;) {
    const index = heard.findIndex(({ header }) => header.type === type);
    if (index >= 0) {
      const [message] = heard.splice(index, 1);
      return message as Decoded<Extract<WorkerMessage, { type: Type }>>;
    }
    await new Promise<void>((resolve) => (waiting = resolve));
  }
}

function tell(message: CoordinatorMessage, ...payload: (Float32Array | Uint32Array)[]): void {
  coordinator.send("memory-1", encode(message, ...payload));
}

async function welcome(): Promise<void> {
  tell(welcomeOf({ session }));
  await next("ready");
  const state = initialState(1);
  for (const slice of SLICE_NAMES) {
    const { start: first, stateLength } = SLICES[slice];
    tell({ type: "parameters", session, version: 0, slice, averaged: false }, state.slice(first, first + stateLength));
  }
}

function assign(shards: readonly number[]): void {
  const header: CoordinatorMessage = {
    ...{ type: "assign", session, step: 0, epoch: 0, shardCount: 140, globalCount: 140, slices: [] },
    shards: shards.map((index) => ({ index, count: 1 })),
  };
  tell(header, Uint32Array.from(shards));
}

test("the greeting tells what the worker computes with, as far as there is something to tell", async () => {
  const engine = await createEngine("wasm");
  const runtime = "x".repeat(2_001);
  await start({ ...engineWith(engine, (shard) => engine.gradients(shard)), runtime }, "550.54.15");
  expect(greeting).toMatchObject({ engine: "wasm", runtime: runtime.slice(1), driver: "550.54.15" });
  worker.interrupt("SIGTERM");
  tell({ type: "stop", session, reason: "left" });
  await end;
  await start(engine);
  expect(greeting).not.toHaveProperty("runtime");
  expect(greeting).not.toHaveProperty("driver");
});

test("an assignment is answered with both slices", async () => {
  await start(await createEngine("wasm"));
  await welcome();
  assign([0, 1, 2, 3]);
  for (const slice of ["dense", "conv"] as const) {
    const { header, payload } = await next("result");
    const nodes = [{ level: 2, index: 0 }];
    expect(header).toEqual({ type: "result", session, step: 0, slice, spent: NO_TIME, nodes });
    expect(payload).toHaveLength(1);
  }
});

test("sums of shards that are scattered too far for one message come in several", async () => {
  await start(await createEngine("wasm"));
  await welcome();
  const scattered = Array.from({ length: 70 }, (_, i) => 2 * i);
  assign(scattered);
  const shards: Record<SliceName, number[]> = { dense: [], conv: [] };
  while (shards.dense.length + shards.conv.length < 2 * scattered.length) {
    const { header } = await next("result");
    shards[header.slice].push(...header.nodes.map(firstShard));
  }
  expect(shards).toEqual({ dense: scattered, conv: scattered });
});

test("an engine that fails is told to the coordinator, and ends the worker", async () => {
  const engine = await createEngine("wasm");
  let calls = 0;
  await start(
    engineWith(engine, (shard, denseFinal) => {
      calls += 1;
      // The first call makes ready.
      if (calls > 1) throw new Error("the device is gone");
      return engine.gradients(shard, denseFinal);
    }),
  );
  await welcome();
  assign([0]);
  expect((await next("failed")).header).toMatchObject({ session, message: "the device is gone" });
  expect(await end).toEqual({ code: 1, text: "the device is gone" });
  // The log learns to whom it happened, in which run and at which step.
  const context = { worker: "worker-1", runId: "run" };
  const stack = expect.stringMatching(/^Error: the device is gone\n +at /) as string;
  expect(told).toEqual([
    { event: "welcomed", text: "welcomed as worker-1, run run", ...context },
    { event: "task-failed", text: "the device is gone", stack, step: 0, ...context },
  ]);
});

test("a message that cannot be understood makes the worker greet again", async () => {
  await start(await createEngine("wasm"));
  await welcome();
  coordinator.send("memory-1", [Buffer.from("nonsense")]);
  expect((await next("leaving")).header.reason).toContain("malformed message");
  await next("hello");
});
