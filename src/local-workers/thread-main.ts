import { type MessagePort, workerData } from "node:worker_threads";
import { systemClock } from "../shared/clock.ts";
import type { TrainConfig } from "../shared/config.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { connectThread } from "../shared/transport/threads.ts";
import { createEngine } from "../worker/engines/select.ts";
import { Worker } from "../worker/worker.ts";

/** What a worker's thread is given when it is started. */
export interface ThreadData {
  readonly port: MessagePort;
  readonly engine: TrainConfig["engine"];
  readonly dataset: Dataset;
}

/** A worker's thread from its first to its last moment. The coordinator is in the same process: it cannot be missed. */
const { port, engine: engineName, dataset } = workerData as ThreadData;
const engine = await createEngine(engineName);
const worker = new Worker({
  transport: connectThread(port),
  address: "this process",
  ...{ engine, dataset, clock: systemClock },
  coordinatorTimeoutMs: Infinity,
  say: () => {},
});
const { code, text } = await worker.run();
await engine.dispose();
if (code !== 0) process.stderr.write(`lockstep worker: ${text}\n`);
process.exitCode = code;
