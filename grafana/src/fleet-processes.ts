import type { Section } from "./grid.ts";
import { graph, table } from "./panels.ts";
import { COORDINATOR, RUN, rate, WORKERS } from "./promql.ts";

/** Checkpoints, and the processes themselves. */
export function fleetProcesses(): Section[] {
  return [
    {
      title: "Checkpoints",
      lines: [{ height: 7, panels: [checkpointAge(), checkpointSteps(), checkpointTime(), checkpointSize()] }],
    },
    {
      title: "Processes",
      lines: [
        { height: 8, panels: [memory(), processor(), eventLoop()] },
        { height: 6, panels: [versions(), endpoints()] },
      ],
    },
  ];
}

const checkpointAge = () =>
  graph({
    title: "Age of the last checkpoint",
    description: "What a crash of the coordinator would cost. It falls to 0 whenever one is safely on disk.",
    unit: "s",
    min: 0,
    queries: [{ expr: `time() - lockstep_checkpoint_timestamp_seconds{${RUN}}`, legend: "age" }],
    colours: { age: "blue" },
  });

const checkpointSteps = () =>
  graph({
    title: "Checkpoints",
    description: "Written, and failed, which costs a warning and not the run.",
    unit: "short",
    min: 0,
    decimals: 0,
    bars: true,
    queries: [
      { expr: `increase(lockstep_checkpoints_total{${RUN}}[$__rate_interval])`, legend: "written" },
      { expr: `increase(lockstep_checkpoint_failures_total{${RUN}}[$__rate_interval])`, legend: "failed" },
    ],
    colours: { written: "blue", failed: "red" },
  });

const checkpointTime = () =>
  graph({
    title: "Time of a checkpoint",
    description: "Mean and p95 over the run so far, until it was safely on disk. Training goes on meanwhile.",
    unit: "s",
    min: 0,
    queries: [
      {
        expr:
          `lockstep_checkpoint_duration_seconds_sum{${RUN}} / ` +
          `(lockstep_checkpoint_duration_seconds_count{${RUN}} > 0)`,
        legend: "mean",
      },
      {
        expr:
          `histogram_quantile(0.95, sum by (le) (lockstep_checkpoint_duration_seconds_bucket{${RUN}})) and ` +
          `on () (lockstep_checkpoint_duration_seconds_count{${RUN}} > 0)`,
        legend: "p95",
      },
    ],
  });

const checkpointSize = () =>
  graph({
    title: "Size of a checkpoint",
    description: "Of the last one. It does not change within a run.",
    unit: "bytes",
    min: 0,
    queries: [{ expr: `lockstep_checkpoint_size_bytes{${RUN}}`, legend: "size" }],
  });

const memory = () =>
  graph({
    title: "Memory",
    description:
      "Resident, by process: the coordinator, with the workers that are its threads, and workers that Prometheus reads. It " +
      "should level off within minutes.",
    unit: "bytes",
    min: 0,
    queries: ofProcesses((labels) => `process_resident_memory_bytes{${labels}}`),
  });

const processor = () =>
  graph({
    title: "Processor time",
    description: "Cores that each process keeps busy.",
    unit: "short",
    min: 0,
    queries: ofProcesses((labels) => rate("process_cpu_seconds_total", labels)),
  });

const eventLoop = () =>
  graph({
    title: "Event loop lag, p99",
    description:
      "How late timers and messages are served. A worker computes in its event loop: there it is a shard's time and no fault.",
    unit: "s",
    min: 0,
    queries: ofProcesses((labels) => `nodejs_eventloop_lag_p99_seconds{${labels}}`),
  });

/** The coordinator's line, and those of workers with endpoints of their own. */
function ofProcesses(expr: (labels: string) => string): { expr: string; legend: string }[] {
  return [
    { expr: expr(COORDINATOR), legend: "coordinator" },
    { expr: expr(`${WORKERS}, worker!=""`), legend: "{{worker}}" },
  ];
}

const versions = () =>
  table({
    title: "Versions",
    description: "What runs where. All should be the same version of lockstep.",
    queries: [`sum by (instance, worker, version, node) (lockstep_build_info{${RUN}})`],
    columns: [
      { of: "instance", title: "endpoint" },
      { of: "worker", title: "worker" },
      { of: "version", title: "lockstep" },
      { of: "node", title: "Node.js" },
    ],
  });

const endpoints = () =>
  graph({
    title: "Connected workers, as they see it",
    description: "1: the worker has a session with the coordinator. Where it serves metrics of its own.",
    unit: "none",
    min: 0,
    max: 1,
    decimals: 0,
    queries: [{ expr: `lockstep_worker_connected{${WORKERS}}`, legend: "{{worker}}" }],
  });
