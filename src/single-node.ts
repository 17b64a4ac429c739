import type { Signal } from "./shared/errors.ts";
import { availableParallelism } from "node:os";
import { prepareTrainingRun } from "./coordinator/training-run.ts";
import { LocalWorkers } from "./local-workers.ts";
import { privateEndpoint } from "./private-endpoint.ts";
import type { TrainConfig } from "./shared/config.ts";
import { loadDataset, summarise } from "./shared/data/dataset.ts";
import type { TrainingEvent, TrainingResult } from "./shared/events.ts";
import { listenZmq } from "./shared/transport/zmq.ts";
import { VERSION } from "./version.ts";

/** Single-node mode: a coordinator in this process and worker processes beside it, over ZeroMQ as in a fleet. */
export interface SingleNodeRun {
  readonly runDir: string;
  readonly metricsUrl: string;
  readonly result: Promise<TrainingResult>;
  /** Finishes the step under way, saves a checkpoint and ends the run. */
  interrupt(signal: Signal): void;
}

/**
 * Starts a training here and now.
 * @throws LockstepError for bad data, a metrics port in use and the like, before anything was started
 */
export async function startSingleNode(
  config: TrainConfig,
  onEvent: (event: TrainingEvent) => void,
): Promise<SingleNodeRun> {
  const dataset = summarise(await loadDataset(config.data));
  const endpoint = privateEndpoint();
  let workers: LocalWorkers | undefined;
  try {
    const transport = await listenZmq(endpoint.address);
    const run = await prepareTrainingRun({ config, dataset, transport, version: VERSION, onEvent });
    workers = new LocalWorkers({
      count: workerCount(config),
      needed: Math.max(1, config.minWorkers),
      address: transport.address,
      engine: config.engine,
      data: config.data,
      onExit: (pid, reason) => run.coordinator.workerExited(pid, reason),
      onTooFew: (message) => run.coordinator.giveUp(message),
      onWarning: (message) => onEvent({ type: "warning", message }),
    });
    const started = workers;
    const finish = async (): Promise<TrainingResult> => {
      try {
        return await run.run();
      } finally {
        await started.close();
        endpoint.remove();
      }
    };
    const { coordinator, runDir, metricsUrl } = run;
    return { runDir, metricsUrl, result: finish(), interrupt: (signal) => coordinator.interrupt(signal) };
  } catch (thrown) {
    await workers?.close();
    endpoint.remove();
    throw thrown;
  }
}

/** More workers than cores, or than shards in a batch, would only wait; but as many as must be ready are started. */
export function workerCount({ workers, minWorkers, batchSize, shardSize }: TrainConfig): number {
  if (workers !== "auto") return workers;
  return Math.max(1, minWorkers, Math.min(availableParallelism(), Math.ceil(batchSize / shardSize)));
}
