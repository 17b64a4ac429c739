import { availableParallelism } from "node:os";
import { join } from "node:path";
import { autoWorkers } from "./auto-workers.ts";
import { findCheckpoint } from "./coordinator/checkpoint-store.ts";
import { isComplete } from "./coordinator/resumption.ts";
import { CHECKPOINTS } from "./coordinator/run-directory.ts";
import { prepareTrainingRun } from "./coordinator/training-run.ts";
import type { Coordinator } from "./coordinator/coordinator.ts";
import { LocalWorkers } from "./local-workers/local-workers.ts";
import type { Launch } from "./local-workers/local-worker.ts";
import { launchProcess } from "./local-workers/process.ts";
import { launchThread } from "./local-workers/thread.ts";
import { planWorkers, wantsGpus, type WorkerPlan } from "./local-workers/worker-plan.ts";
import { privateEndpoint } from "./private-endpoint.ts";
import { systemClock } from "./shared/clock.ts";
import { engineOf, isolationOf } from "./shared/config-gpus.ts";
import type { TrainConfig } from "./shared/config.ts";
import { type Dataset, loadDataset, summarise } from "./shared/data/dataset.ts";
import { inSharedMemory } from "./shared/data/shared-dataset.ts";
import { EXIT_CODES, LockstepError, type Signal } from "./shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "./shared/events.ts";
import { samplesPerStep } from "./shared/samples-per-step.ts";
import { ThreadNetwork } from "./shared/transport/threads.ts";
import type { CoordinatorTransport } from "./shared/transport/transport.ts";
import { listenZmq } from "./shared/transport/zmq-listener.ts";
import { VERSION } from "./version.ts";
import { expectFreeGpus } from "./worker/gpus/bind-gpu.ts";
import { discoverGpus } from "./worker/gpus/discover-gpus.ts";

/**
 * Single-node mode: a coordinator in this process with workers beside it, either as threads that share memory with it, or
 * as processes over ZeroMQ, as in a fleet.
 */
export interface SingleNodeRun {
  readonly runDir: string;
  readonly metricsUrl: string;
  readonly result: Promise<TrainingResult>;
  /** Finishes the step under way, saves a checkpoint and ends the run. */
  interrupt(signal: Signal): void;
}

/**
 * Which workers are to be started, and on which GPUs: the machine is looked at once, however often a worker is started.
 * @throws LockstepError "usage" for GPUs that are not there, "failed" for those that others use
 */
export async function planLocalWorkers(config: TrainConfig): Promise<WorkerPlan> {
  try {
    return await planOnThisMachine(config);
  } catch (thrown) {
    // The result of a complete run is told again, whatever machine is asked.
    if (await isCompleteRun(config)) return { engine: engineOf(config), isolation: isolationOf(config), gpus: [] };
    throw thrown;
  }
}

async function isCompleteRun(config: TrainConfig): Promise<boolean> {
  const { resume, runDir } = config;
  if (!resume || runDir === undefined) return false;
  const found = await findCheckpoint(join(runDir, CHECKPOINTS)).catch(() => undefined);
  return isComplete(config, found);
}

async function planOnThisMachine(config: TrainConfig): Promise<WorkerPlan> {
  const found = wantsGpus(config) ? await discoverGpus() : { gpus: [] };
  const plan = planWorkers(config, availableParallelism(), found);
  if (!config.shareGpu) {
    const taken = plan.gpus.filter((gpu) => typeof gpu === "object");
    await expectFreeGpus(taken, "choose others with --gpus, or allow it with --share-gpu");
  }
  return plan;
}

/**
 * Starts a training here and now.
 * @param given what `planLocalWorkers` says, where the caller has asked already
 * @throws LockstepError for bad data, a metrics port in use and the like, before anything was started
 */
export async function startSingleNode(
  config: TrainConfig,
  onEvent: (event: TrainingEvent) => void,
  given?: WorkerPlan,
): Promise<SingleNodeRun> {
  const plan = given ?? (await planLocalWorkers(config));
  const dataset = await loadDataset(config.data);
  const link = plan.isolation === "process" ? await linkProcesses(config, plan) : linkThreads(plan, dataset);
  let workers: LocalWorkers | undefined;
  try {
    const { transport } = link;
    const count = plan.gpus.length;
    const tune =
      config.workers === "auto"
        ? autoWorkers(count, samplesPerStep(config), (use, tried) => run.coordinator.useWorkers(use, tried))
        : () => {};
    const run = await prepareTrainingRun({
      ...{ config, dataset: summarise(dataset), transport, version: VERSION },
      onEvent: (event) => {
        onEvent(event);
        tune(event);
        if (event.type === "step" || event.type === "epoch") workers?.progressed();
      },
    });
    const { coordinator, runDir, metricsUrl } = run;
    const interrupt = (signal: Signal): void => coordinator.interrupt(signal);
    if (run.isComplete) return { runDir, metricsUrl, result: run.run().finally(() => link.remove()), interrupt };
    if (plan.warning !== undefined) run.tell({ type: "warning", message: plan.warning });
    let refused: "usage" | "refused" | undefined;
    workers = new LocalWorkers({
      count,
      needed: Math.max(1, config.minWorkers),
      clock: systemClock,
      launch: link.launcher(run.coordinator),
      isOver: () => run.coordinator.isOver,
      onTooFew: (message, code) => {
        // What they were asked to compute with, or on, cannot be had: more workers would not help.
        if (code === EXIT_CODES.usage) refused = "usage";
        if (code === EXIT_CODES.refused) refused = "refused";
        run.coordinator.giveUp(message);
      },
      onWarning: (message, pid) => run.tell({ type: "warning", message, ...(pid === undefined ? {} : { pid }) }),
    });
    const started = workers;
    const finish = async (): Promise<TrainingResult> => {
      try {
        return await run.run();
      } catch (thrown) {
        const isTooFew = thrown instanceof LockstepError && thrown.code === "not-enough-workers";
        throw isTooFew && refused !== undefined ? new LockstepError(refused, thrown.message) : thrown;
      } finally {
        await started.close();
        link.remove();
      }
    };
    return { runDir, metricsUrl, result: finish(), interrupt };
  } catch (thrown) {
    await workers?.close();
    link.remove();
    throw thrown;
  }
}

/** How the coordinator and its local workers are connected. */
interface Link {
  readonly transport: CoordinatorTransport;
  launcher(coordinator: Coordinator): Launch;
  /** Removes what was made for it. */
  remove(): void;
}

async function linkProcesses(config: TrainConfig, { engine, gpus }: WorkerPlan): Promise<Link> {
  const { deterministic, shareGpu, data } = config;
  const endpoint = privateEndpoint();
  try {
    const transport = await listenZmq(endpoint.address);
    return {
      transport,
      launcher: (coordinator) => (place) =>
        launchProcess({
          ...{ address: transport.address, engine, deterministic, gpu: gpus[place], shareGpu, data },
          onExit: (pid, reason) => coordinator.processExited(pid, reason),
        }),
      remove: () => endpoint.remove(),
    };
  } catch (thrown) {
    endpoint.remove();
    throw thrown;
  }
}

function linkThreads({ engine }: WorkerPlan, dataset: Dataset): Link {
  const network = new ThreadNetwork();
  const shared = inSharedMemory(dataset);
  return {
    transport: network.listen(),
    launcher: (coordinator) => () =>
      launchThread({
        ...{ network, engine, dataset: shared },
        onExit: (peer, reason) => coordinator.threadExited(peer, reason),
      }),
    remove: () => {},
  };
}
