import { systemClock } from "../shared/clock.ts";
import type { CoordinatorConfig, TrainConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { MonitoringServer } from "../shared/http.ts";
import type { CoordinatorTransport } from "../shared/transport/transport.ts";
import { Coordinator } from "./coordinator.ts";
import { EventRecording } from "./event-recording.ts";
import { Metrics } from "./metrics.ts";
import { openRun } from "./opened-run.ts";
import { RunPlan } from "./plan.ts";
import { ReportedCheckpoints } from "./reported-checkpoints.ts";
import { engineWatch, type Resumption } from "./resumption.ts";
import type { RunDirectory } from "./run-directory.ts";
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
  /** Nothing is left to do: it was resumed after its end. */
  readonly isComplete: boolean;
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
  let recording: EventRecording | undefined;
  let directory: RunDirectory | undefined;
  const emit = (event: TrainingEvent): void => {
    metrics.record(event);
    directory?.record(event);
    trace?.record(event);
    onEvent(event);
  };
  try {
    const { metricsHost, metricsPort, metricsPortExplicit } = config;
    const port = await server.listen(metricsHost, metricsPort, { fallbackToFreePort: !metricsPortExplicit });
    const warn = (message: string): void => emit({ type: "warning", message });
    if (config.trace !== undefined) trace = new TraceFile({ path: config.trace, startMs: systemClock.now(), warn });
    if (config.recordEvents !== undefined) recording = new EventRecording({ path: config.recordEvents, version, warn });
    const { directory: opened, resumption } = await openRun({ config, dataset, now: () => new Date(), warn });
    directory = opened;
    const { path: runDir, checkpointsFolder: folder } = opened;
    const checkpoints = await ReportedCheckpoints.open({
      ...{ folder, keep: config.keepCheckpoints, emit },
      beforeSave: () => opened.flush(),
    });
    const watched = resumption === undefined ? emit : withEngineWarning(emit, resumption);
    const created = new Coordinator({
      ...{ config, dataset, transport, clock: systemClock, runDir, checkpoints, resumption },
      onEvent: watched,
      ...{ trace, recording },
    });
    coordinator = created;
    const metricsUrl = `http://${metricsHost.includes(":") ? `[${metricsHost}]` : metricsHost}:${port}/metrics`;
    emit({ type: "monitoring", url: metricsUrl });
    if (resumption !== undefined) emit(resumedEvent(runDir, new RunPlan(config, dataset), resumption));
    return {
      coordinator: created,
      runDir,
      isComplete: resumption !== undefined && resumption.checkpoint.progress.evaluatedEpochs >= config.epochs,
      metricsUrl,
      run: async () => {
        try {
          return await created.run();
        } finally {
          opened.close();
          await trace?.close();
          await recording?.close();
          await server.close();
        }
      },
    };
  } catch (thrown) {
    directory?.close();
    await trace?.close();
    await recording?.close();
    await server.close();
    await transport.close();
    throw thrown;
  }
}

function resumedEvent(runDir: string, plan: RunPlan, { path, checkpoint: { step } }: Resumption): TrainingEvent {
  const { epochs, totalSteps, testSamples } = plan;
  const epoch = Math.min(plan.epochOf(step) + 1, epochs);
  return { type: "resumed", runDir, path, step, totalSteps, epoch, epochs, testSamples };
}

/** Warns when a worker joins whose engine is not that of the steps before. */
function withEngineWarning(
  emit: (event: TrainingEvent) => void,
  resumption: Resumption,
): (event: TrainingEvent) => void {
  const warningAbout = engineWatch(resumption);
  return (event) => {
    emit(event);
    const message = event.type === "worker-joined" ? warningAbout(event.engine) : undefined;
    if (message !== undefined) emit({ type: "warning", message });
  };
}
