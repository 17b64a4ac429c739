import { workerData } from "node:worker_threads";
import { systemClock } from "../shared/clock.ts";
import type { TrainConfig } from "../shared/config.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { LockstepError } from "../shared/errors.ts";
import { connectThread, type ThreadEnd } from "../shared/transport/threads.ts";
import { createEngine } from "../worker/engines/select.ts";
import { Worker, type WorkerEnd } from "../worker/worker.ts";

/** What a worker's thread is given when it is started. */
export interface ThreadData {
  readonly end: ThreadEnd;
  readonly engine: TrainConfig["engine"];
  readonly dataset: Dataset;
}

/** A worker's thread from its first to its last moment. */
async function work({ end, engine: engineName, dataset }: ThreadData): Promise<WorkerEnd> {
  const engine = await createEngine(engineName);
  const worker = new Worker({
    transport: connectThread(end),
    address: "this process",
    ...{ engine, dataset, clock: systemClock },
    // The coordinator is in the same process: it cannot be missed.
    coordinatorTimeoutMs: Infinity,
    say: () => {},
  });
  const ended = await worker.run();
  await engine.dispose();
  return ended;
}

/** An error that is a sentence for a person ends the worker as it would end the command; any other is the thread's. */
function refusal(thrown: unknown): WorkerEnd {
  if (thrown instanceof LockstepError) return { code: thrown.exitCode, text: thrown.message };
  throw thrown;
}

const { code, text, isRunEnd = false } = await work(workerData as ThreadData).catch(refusal);
if (code !== 0 && !isRunEnd) process.stderr.write(`lockstep worker: ${text}\n`);
process.exitCode = code;
