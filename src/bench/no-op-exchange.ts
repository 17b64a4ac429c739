import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker as Thread } from "node:worker_threads";
import { Coordinator } from "../coordinator/coordinator.ts";
import { privateEndpoint } from "../private-endpoint.ts";
import { systemClock } from "../shared/clock.ts";
import { configFrom } from "../shared/config-resolve.ts";
import { summarise } from "../shared/data/dataset.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { ThreadNetwork } from "../shared/transport/threads.ts";
import type { CoordinatorTransport } from "../shared/transport/transport.ts";
import { listenZmq } from "../shared/transport/zmq-listener.ts";
import { exchangeBytes } from "./bare-sockets.ts";
import { blankDataset } from "./blank-dataset.ts";
import type { ChildProcesses } from "../workshop/child-processes.ts";
import type { ExchangeWorkerData } from "./exchange-worker.ts";

/** Steps in which nothing is computed: each worker has one image a step, and its gradient is there at once. */

export interface Exchange {
  readonly workers: number;
  /** Steps before those that are measured: the workers' compilers finish. */
  readonly warmUpSteps: number;
  /** Steps that are measured. */
  readonly steps: number;
  readonly children: ChildProcesses;
}

/** Milliseconds a step with the real coordinator, and real workers in processes of their own. */
export async function exchangeBetweenProcesses(exchange: Exchange): Promise<number> {
  const endpoint = privateEndpoint();
  try {
    const transport = await listenZmq(endpoint.address);
    const data = { through: "processes", address: transport.address, samples: samplesOf(exchange) } as const;
    return await coordinate(transport, exchange, () => startProcesses(exchange, data));
  } finally {
    endpoint.remove();
  }
}

/** The same with workers in threads of this process. */
export async function exchangeBetweenThreads(exchange: Exchange): Promise<number> {
  const network = new ThreadNetwork();
  const data = { through: "threads", address: "", samples: samplesOf(exchange) } as const;
  return coordinate(network.listen(), exchange, () => startThreads(network, exchange, data));
}

/** The same bytes through bare sockets, between processes. */
export async function exchangeThroughBareSockets(exchange: Exchange): Promise<number> {
  const endpoint = privateEndpoint();
  const timer = new StepTimer(exchange);
  try {
    const { workers, warmUpSteps, steps } = exchange;
    const run = exchangeBytes(endpoint.address, workers, warmUpSteps + steps, (step) => timer.stepDone(step));
    const data = { through: "bare sockets", address: endpoint.address, samples: 0 } as const;
    await Promise.all([run, startProcesses(exchange, data)]);
  } finally {
    endpoint.remove();
  }
  return timer.msPerStep;
}

function samplesOf({ workers, warmUpSteps, steps }: Exchange): number {
  return workers * (warmUpSteps + steps);
}

/** @param startWorkers gives a promise that all have ended well */
async function coordinate(
  transport: CoordinatorTransport,
  exchange: Exchange,
  startWorkers: () => Promise<void>,
): Promise<number> {
  const { workers } = exchange;
  const timer = new StepTimer(exchange);
  const coordinator = new Coordinator({
    config: configFrom("coordinator", { epochs: 1, batchSize: workers, shardSize: 1, minWorkers: workers }),
    ...{ dataset: summarise(blankDataset(samplesOf(exchange))), transport, clock: systemClock },
    runDir: "",
    onEvent: (event) => {
      if (event.type === "step") timer.stepDone(event.step);
    },
  });
  const run = coordinator.run();
  const ends = startWorkers();
  ends.catch((thrown: unknown) => coordinator.giveUp(messageOf(thrown)));
  await Promise.all([run, ends]);
  return timer.msPerStep;
}

const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const PROGRAM = new URL(`./exchange-worker${EXTENSION}`, import.meta.url);

async function startProcesses({ children, workers }: Exchange, data: ExchangeWorkerData): Promise<void> {
  const flags = EXTENSION === ".ts" ? process.execArgv : [];
  const ends = Array.from({ length: workers }, async () => {
    const child = children.start(process.execPath, [...flags, fileURLToPath(PROGRAM), JSON.stringify(data)], {
      // The channel closes with this process, however it ends: the worker then ends too.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    await once(child, "exit");
    if (child.exitCode !== 0) throw workerFailed();
  });
  await Promise.all(ends);
}

async function startThreads(network: ThreadNetwork, { workers }: Exchange, data: ExchangeWorkerData): Promise<void> {
  const ends = Array.from({ length: workers }, async () => {
    const { end } = network.open();
    const thread = new Thread(PROGRAM, { workerData: { ...data, end }, transferList: [end.port] });
    const [code] = (await once(thread, "exit")) as [number];
    if (code !== 0) throw workerFailed();
  });
  await Promise.all(ends);
}

function workerFailed(): LockstepError {
  return new LockstepError("failed", "a worker of suite exchange has failed");
}

/** Times the steps after the warm-up. */
class StepTimer {
  readonly #exchange: Exchange;
  #startedAt = 0;
  #endedAt = NaN;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** @param step from 1 */
  stepDone(step: number): void {
    const { warmUpSteps, steps } = this.#exchange;
    if (step === warmUpSteps) this.#startedAt = performance.now();
    if (step === warmUpSteps + steps) this.#endedAt = performance.now();
  }

  get msPerStep(): number {
    return (this.#endedAt - this.#startedAt) / this.#exchange.steps;
  }
}
