import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Coordinator } from "../coordinator/coordinator.ts";
import { privateEndpoint } from "../private-endpoint.ts";
import { systemClock } from "../shared/clock.ts";
import { configFrom } from "../shared/config-resolve.ts";
import { summarise } from "../shared/data/dataset.ts";
import { LockstepError } from "../shared/errors.ts";
import { listenZmq } from "../shared/transport/zmq.ts";
import { exchangeBytes } from "./bare-sockets.ts";
import { blankDataset } from "./blank-dataset.ts";
import type { ChildProcesses } from "./child-processes.ts";

/** Steps in which nothing is computed, with each worker in a process of its own. */

export interface Exchange {
  readonly workers: number;
  /** Steps that are measured. */
  readonly steps: number;
  readonly children: ChildProcesses;
}

/** Steps before those that are measured: the workers' compilers finish. */
const WARM_UP_STEPS = 200;

/** Milliseconds a step with the real coordinator and workers, each with one image a step. */
export async function exchangeThroughLockstep({ workers, steps, children }: Exchange): Promise<number> {
  const samples = workers * (WARM_UP_STEPS + steps);
  const dataset = blankDataset(samples);
  const endpoint = privateEndpoint();
  const timer = new StepTimer(steps);
  try {
    const transport = await listenZmq(endpoint.address);
    const coordinator = new Coordinator({
      config: configFrom("coordinator", { epochs: 1, batchSize: workers, shardSize: 1, minWorkers: workers }),
      ...{ dataset: summarise(dataset), transport, clock: systemClock },
      ...{ runDir: "", saveCheckpoint: () => Promise.resolve("") },
      onEvent: (event) => {
        if (event.type === "step") timer.stepDone(event.step);
      },
    });
    const run = coordinator.run();
    const ends = startWorkers(children, workers, ["lockstep", transport.address, String(samples)]);
    ends.catch((thrown: unknown) => coordinator.giveUp(String(thrown)));
    await Promise.all([run, ends]);
  } finally {
    endpoint.remove();
  }
  return timer.msPerStep;
}

/** Milliseconds a step for the same bytes through bare sockets. */
export async function exchangeThroughBareSockets({ workers, steps, children }: Exchange): Promise<number> {
  const endpoint = privateEndpoint();
  const timer = new StepTimer(steps);
  try {
    const run = exchangeBytes(endpoint.address, workers, WARM_UP_STEPS + steps, (step) => timer.stepDone(step));
    await Promise.all([run, startWorkers(children, workers, ["bare", endpoint.address])]);
  } finally {
    endpoint.remove();
  }
  return timer.msPerStep;
}

/** @returns a promise that all have ended well */
async function startWorkers(children: ChildProcesses, count: number, args: readonly string[]): Promise<void> {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const program = fileURLToPath(new URL(`./exchange-worker${extension}`, import.meta.url));
  const flags = extension === ".ts" ? process.execArgv : [];
  const ends = Array.from({ length: count }, async () => {
    const child = children.start(process.execPath, [...flags, program, ...args], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    await once(child, "exit");
    if (child.exitCode !== 0) throw new LockstepError("failed", "a worker of suite exchange has failed");
  });
  await Promise.all(ends);
}

/** Times the steps after the warm-up. */
class StepTimer {
  readonly #steps: number;
  #startedAt = 0;
  #endedAt = NaN;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** @param step from 1 */
  stepDone(step: number): void {
    if (step === WARM_UP_STEPS) this.#startedAt = performance.now();
    if (step === WARM_UP_STEPS + this.#steps) this.#endedAt = performance.now();
  }

  get msPerStep(): number {
    return (this.#endedAt - this.#startedAt) / this.#steps;
  }
}
