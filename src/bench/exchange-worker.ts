import { workerData } from "node:worker_threads";
import { collectGarbageRarely } from "../garbage-collection.ts";
import { systemClock } from "../shared/clock.ts";
import { connectThread, type ThreadEnd } from "../shared/transport/threads.ts";
import { connectZmq } from "../shared/transport/zmq-connection.ts";
import { Worker } from "../worker/worker.ts";
import { answerBytes } from "./bare-sockets.ts";
import { blankDataset } from "./blank-dataset.ts";
import { NoOpEngine } from "./no-op-engine.ts";

/** What one worker of suite `exchange` is told, as JSON in its only argument or as a thread's data. */
export interface ExchangeWorkerData {
  readonly through: "bare sockets" | "processes" | "threads";
  readonly address: string;
  /** Of the data set. */
  readonly samples: number;
  /** A thread's connection. */
  readonly end?: ThreadEnd;
}

/** A program of its own, or a thread. */
const { through, address, samples, end } = (workerData ?? JSON.parse(process.argv[2] ?? "")) as ExchangeWorkerData;

collectGarbageRarely();
process.once("disconnect", () => process.exit(1));
if (through === "bare sockets") {
  await answerBytes(address);
} else {
  const worker = new Worker({
    transport: end === undefined ? connectZmq(address) : connectThread(end),
    ...{ address, engine: new NoOpEngine(), dataset: blankDataset(samples) },
    clock: systemClock,
    coordinatorTimeoutMs: 60_000,
    say: () => {},
  });
  await worker.run();
}
process.exit(0);
