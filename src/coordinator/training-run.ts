import { systemClock } from "../shared/clock.ts";
import type { CoordinatorConfig, TrainConfig } from "../shared/config.ts";
import { writeCheckpoint } from "../shared/checkpoint-file.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { MonitoringServer } from "../shared/http.ts";
import type { CoordinatorTransport } from "../shared/transport/transport.ts";
import { Coordinator } from "./coordinator.ts";
import { Metrics } from "./metrics.ts";
import { createRunDirectory } from "./run-directory.ts";
import { TraceFile } from "./trace-file.ts";

export interface TrainingRunOptions {
  readonly config: TrainConfig | CoordinatorConfig;
  readonly dataset: DatasetSummary;
  readonly transport: CoordinatorTransport;
  readonly version: string;
  readonly onEvent: (event: TrainingEvent) => void;
}

/** A coordinator with all that surrounds it: the run's folder, its metrics and the port where they are read. */
export interface TrainingRun {
  readonly coordinator: Coordinator;
  readonly runDir: string;
  /** Where /metrics, /healthz and /status are. */
  readonly metricsUrl: string;
  /** Trains to the end, then closes everything. To be called once. */
  run(): Promise<TrainingResult>;
}

/** @throws LockstepError when the run's folder, the trace or the metrics port cannot be had; the transport is then closed */
export async function prepareTrainingRun(options: TrainingRunOptions): Promise<TrainingRun> {
  const { config, dataset, transport, version, onEvent } = options;
  const metrics = new Metrics({ config, version, now: () => systemClock.now() });
  let coordinator: Coordinator | undefined;
  const server = new MonitoringServer({
    metrics: () => metrics.text(),
    metricsContentType: metrics.contentType,
    status: () => coordinator?.status(),
  });
  let trace: TraceFile | undefined;
  try {
    const { metricsHost, metricsPort, metricsPortExplicit } = config;
    const port = await server.listen(metricsHost, metricsPort, { fallbackToFreePort: !metricsPortExplicit });
    const warn = (message: string): void => emit({ type: "warning", message });
    if (config.trace !== undefined) trace = new TraceFile({ path: config.trace, startMs: systemClock.now(), warn });
    const directory = createRunDirectory({ config, now: () => new Date(), warn });
    const emit = (event: TrainingEvent): void => {
      metrics.record(event);
      directory.record(event);
      trace?.record(event);
      onEvent(event);
    };
    const created = new Coordinator({
      ...{ config, dataset, transport },
      clock: systemClock,
      runDir: directory.path,
      saveCheckpoint: async (checkpoint) => {
        const path = directory.checkpointPath(checkpoint.step);
        await writeCheckpoint(path, checkpoint);
        return path;
      },
      onEvent: emit,
      trace,
    });
    coordinator = created;
    const metricsUrl = `http://${metricsHost.includes(":") ? `[${metricsHost}]` : metricsHost}:${port}/metrics`;
    emit({ type: "monitoring", url: metricsUrl });
    return {
      coordinator: created,
      runDir: directory.path,
      metricsUrl,
      run: async () => {
        try {
          return await created.run();
        } finally {
          directory.close();
          await trace?.close();
          await server.close();
        }
      },
    };
  } catch (thrown) {
    await trace?.close();
    await server.close();
    await transport.close();
    throw thrown;
  }
}
