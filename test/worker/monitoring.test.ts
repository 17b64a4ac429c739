import { afterEach, expect, test } from "vitest";
import { decodeFromWorker, encode } from "../../src/shared/protocol/codec.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import type { PeerId } from "../../src/shared/transport/transport.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { WorkerMonitoring } from "../../src/worker/monitoring.ts";
import { Worker, type WorkerEnd } from "../../src/worker/worker.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";
import { welcomeOf } from "../support/welcome.ts";

let monitoring: WorkerMonitoring;
let end: Promise<WorkerEnd> | undefined;
let stop: (() => void) | undefined;
afterEach(async () => {
  stop?.();
  await end;
  await monitoring.close();
});

async function get(path: string): Promise<[status: number, body: string]> {
  const response = await fetch(new URL(path, monitoring.url));
  return [response.status, await response.text()];
}

test("a worker's endpoint tells whether it can be given work, and what it does", async () => {
  const engine = await createEngine("wasm");
  monitoring = await WorkerMonitoring.open({ host: "127.0.0.1", port: 0, engine, driver: undefined, version: "1" });
  expect(await get("/healthz")).toEqual([200, "ok\n"]);
  expect(await get("/readyz")).toEqual([503, "the worker is being started\n"]);

  const network = new MemoryNetwork();
  const coordinator = network.listen();
  let peer: PeerId = "";
  const heard = new Map<WorkerMessage["type"], () => void>();
  const hearing = (type: WorkerMessage["type"]) => new Promise<void>((resolve) => heard.set(type, resolve));
  coordinator.start({
    onMessage: (from, frames) => {
      peer = from;
      heard.get(decodeFromWorker(frames).header.type)?.();
    },
    onUnreachable: () => {},
    onDamaged: () => {},
  });
  const clock = { ms: 0, now: () => clock.ms, every: () => () => {} };
  const greeted = hearing("hello");
  const worker = new Worker({
    ...{ transport: network.connect(), address: "here", engine, dataset: syntheticDataset(10, 10), clock },
    ...{ coordinatorTimeoutMs: 60_000, say: () => {}, metrics: monitoring.metrics },
  });
  monitoring.watch(worker);
  end = worker.run();
  await greeted;
  expect(await get("/readyz")).toEqual([503, "the coordinator at here has not welcomed this worker yet\n"]);

  const tell = (message: CoordinatorMessage): void => coordinator.send(peer, encode(message));
  const session = "c/1";
  const ready = hearing("ready");
  tell(welcomeOf({ session, name: "worker-7", runId: "runs/mine" }));
  await ready;
  expect(await get("/readyz")).toEqual([200, "ready\n"]);
  const [, text] = await get("/metrics");
  expect(text).toContain('lockstep_worker_connected{run="mine",worker="worker-7"} 1');
  expect(text).toContain(
    'lockstep_worker_messages_total{direction="received",type="welcome",run="mine",worker="worker-7"} 1',
  );
  expect(JSON.parse((await get("/status"))[1])).toMatchObject({ run: "mine", worker: "worker-7", unready: null });

  clock.ms = 10_000;
  expect(await get("/readyz")).toEqual([503, "nothing is heard of the coordinator at here\n"]);
  expect((await get("/metrics"))[1]).toContain('lockstep_worker_connected{run="mine",worker="worker-7"} 0');
  stop = () => tell({ type: "stop", session, reason: "done" });
});

test("a port in use ends the command before the worker joins", async () => {
  const engine = await createEngine("wasm");
  const options = { host: "127.0.0.1", engine, driver: undefined, version: "1" };
  monitoring = await WorkerMonitoring.open({ ...options, port: 0 });
  [end, stop] = [undefined, undefined];
  const port = Number(new URL(monitoring.url).port);
  await expect(WorkerMonitoring.open({ ...options, port })).rejects.toThrow(`--metrics-port ${port} is in use`);
});
