import { AccessToken } from "../shared/access-token.ts";
import { systemClock } from "../shared/clock.ts";
import type { CoordinatorConfig, TrainConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { MonitoringServer } from "../shared/http.ts";
import { httpUrl } from "../shared/page-server.ts";
import type { CoordinatorTransport } from "../shared/transport/transport.ts";
import { Coordinator } from "./coordinator.ts";
import { EventRecording } from "./event-recording.ts";
import { LivePages } from "./live/live-pages.ts";
import { RunLogFile } from "./log/run-log-file.ts";
import { Metrics, runName } from "./metrics.ts";
import { Observers } from "./observers.ts";
import { openRun } from "./opened-run.ts";
import { RunPlan } from "./plan.ts";
import { ReportedCheckpoints } from "./reported-checkpoints.ts";
import { engineWatch, isComplete, type Resumption } from "./resumption.ts";
import type { RunDirectory } from "./run-directory.ts";
import { RunStatus } from "./run-status.ts";
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
  /** Where /metrics, /healthz, /readyz and /status are. */
  readonly metricsUrl: string;
  /** Tells whoever watches the run, and its log, what happens around it. */
  tell(event: TrainingEvent): void;
  /** Trains to the end, then closes everything. To be called once. */
  run(): Promise<TrainingResult>;
}

/** @throws LockstepError when the run's folder, the trace or the metrics port cannot be had; the transport is then closed */
export async function prepareTrainingRun(options: TrainingRunOptions): Promise<TrainingRun> {
  const { config, dataset, transport, version, onEvent } = options;
  const clocks = { now: () => systemClock.now(), time: () => Date.now() };
  const metrics = new Metrics({ config, version, ...clocks });
  const status = new RunStatus(clocks);
  let trace: TraceFile | undefined;
  let recording: EventRecording | undefined;
  let directory: RunDirectory | undefined;
  let log: RunLogFile | undefined;
  /** What happened before there was a log. */
  const early: TrainingEvent[] = [];
  let coordinator: Coordinator | undefined;
  const live = new LivePages({
    ...{ clock: systemClock, unixNow: clocks.time },
    runName: () => (directory === undefined ? "" : runName(directory.path)),
    workers: () => coordinator?.roster() ?? [],
  });
  const server = new MonitoringServer({
    metrics: () => metrics.text(),
    metricsContentType: metrics.contentType,
    unready: () => (coordinator === undefined ? "the run is being prepared" : coordinator.unready()),
    status: () => ({
      run: directory === undefined ? null : runName(directory.path),
      runDir: directory?.path ?? null,
      ...coordinator?.status(),
      ...status.read(),
    }),
    pages: live.pages,
  });
  const observers = new Observers((message) => emit({ type: "warning", message }));
  const emit = (event: TrainingEvent): void => {
    if (log === undefined) early.push(event);
    observers.tell(event);
    onEvent(event);
  };
  observers.add("the metrics", metrics);
  observers.add("/status", status);
  observers.add("the live page", live);
  const close = (): Promise<void> =>
    observers.close([
      ["log.ndjson", () => log?.close()],
      ["the run's folder", () => directory?.close()],
      ["the trace", () => trace?.close()],
      ["the recording", () => recording?.close()],
      ["the live page", () => live.close()],
      ["the metrics port", () => server.close()],
    ]);
  const fail = (thrown: unknown): void => {
    log?.fail(thrown);
    live.fail(thrown);
  };
  try {
    const { metricsHost, metricsPort, metricsPortExplicit, metricsTokenFile } = config;
    const warn = (message: string): void => emit({ type: "warning", message });
    const token = metricsTokenFile === undefined ? undefined : new AccessToken(metricsTokenFile, warn);
    const port = await server.listen(metricsHost, metricsPort, { fallbackToFreePort: !metricsPortExplicit, token });
    if (config.trace !== undefined) trace = new TraceFile({ path: config.trace, startMs: systemClock.now(), warn });
    if (trace !== undefined) observers.add("the trace", trace);
    if (config.recordEvents !== undefined) recording = new EventRecording({ path: config.recordEvents, version, warn });
    const { directory: opened, resumption } = await openRun({
      ...{ config, dataset, version, warn },
      now: () => new Date(),
    });
    directory = opened;
    observers.add("the run's folder", opened);
    const { path: runDir, checkpointsFolder: folder } = opened;
    log = new RunLogFile({ runDir, workersByHand: "listen" in config, warn });
    for (const event of early.splice(0)) log.record(event);
    observers.add("log.ndjson", log);
    const checkpoints = await ReportedCheckpoints.open({
      ...{ folder, keep: config.keepCheckpoints, emit },
      beforeSave: () => {
        opened.assertHeld();
        opened.flush();
      },
    });
    const watched = resumption === undefined ? emit : withEngineWarning(emit, resumption);
    const created = new Coordinator({
      ...{ config, dataset, transport, clock: systemClock, runDir, checkpoints, resumption },
      onEvent: watched,
      ...{ trace, recording },
    });
    coordinator = created;
    metrics.watch(runDir, created);
    const metricsUrl = httpUrl(metricsHost, port, "/metrics");
    emit({ type: "monitoring", url: metricsUrl, runDir });
    if (resumption !== undefined) emit(resumedEvent(runDir, new RunPlan(config, dataset), resumption));
    return {
      coordinator: created,
      runDir,
      isComplete: isComplete(config, resumption),
      metricsUrl,
      tell: emit,
      run: async () => {
        try {
          return await created.run();
        } catch (thrown) {
          fail(thrown);
          throw thrown;
        } finally {
          await close();
        }
      },
    };
  } catch (thrown) {
    fail(thrown);
    await close();
    await transport.close();
    throw thrown;
  }
}

function resumedEvent(runDir: string, plan: RunPlan, { path, checkpoint }: Resumption): TrainingEvent {
  const { step, progress } = checkpoint;
  const { epochs, totalSteps, testSamples } = plan;
  const epoch = Math.min(plan.epochOf(step) + 1, epochs);
  const bestEpoch = progress.validation?.best.epoch ?? null;
  return { type: "resumed", runDir, path, step, totalSteps, epoch, epochs, testSamples, bestEpoch };
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
