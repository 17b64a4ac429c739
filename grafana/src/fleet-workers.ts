import type { Section } from "./grid.ts";
import { graph, table } from "./panels.ts";
import { NOT_GONE, quantile, RUN, rate, WORKERS } from "./promql.ts";

const STATE_COLOURS = { ready: "green", joining: "blue", standby: "purple", late: "orange", leaving: "text" };

/** Who is there, who lags, and what went wrong. */
export function fleetWorkers(): Section[] {
  return [
    {
      title: "Workers",
      lines: [
        { height: 7, panels: [members()] },
        { height: 8, panels: [states(), shardTime(), heartbeats()] },
        { height: 8, panels: [shards(), workShare(), computeTime()] },
      ],
    },
    { title: "Troubles", lines: [{ height: 7, panels: [losses(), lateShards(), rejections()] }] },
  ];
}

const members = () =>
  table({
    title: "Who is there, and with what",
    description:
      "Workers that are there now, their processor or GPU and its driver, and how they do: shards computed, what a shard " +
      "takes, and how long nothing was heard.",
    queries: [
      `sum by (worker, host, pid, engine, device, runtime, driver) (lockstep_worker_info{${WORKERS}})`,
      ofPresent("lockstep_worker_shards_total"),
      ofPresent("lockstep_worker_shard_seconds"),
      ofPresent("lockstep_worker_heartbeat_age_seconds"),
    ],
    columns: [
      { of: "worker", title: "worker" },
      { of: "host", title: "host" },
      { of: "pid", title: "process" },
      { of: "engine", title: "engine" },
      { of: "device", title: "device" },
      { of: "runtime", title: "runtime" },
      { of: "driver", title: "driver" },
      { of: "B", title: "shards", unit: "short" },
      { of: "C", title: "time of a shard", unit: "s" },
      { of: "D", title: "last heard", unit: "s" },
    ],
  });

/** Without workers that are gone: their rows would have no names. */
function ofPresent(metric: string): string {
  return `sum by (worker) (${metric}{${WORKERS}}) and on (worker) lockstep_worker_info{${WORKERS}}`;
}

const states = () =>
  graph({
    title: "Workers by state",
    description:
      "On standby: there, but the others are faster without. Late: owes shards that idle ones now compute as well.",
    unit: "none",
    min: 0,
    decimals: 0,
    stacked: true,
    queries: [{ expr: `sum by (state) (lockstep_workers{${RUN}})`, legend: "{{state}}" }],
    colours: STATE_COLOURS,
  });

const shardTime = () =>
  graph({
    title: "Time of a shard, by worker",
    description: "Smoothed. A worker far above the others is a straggler: all wait for it at the end of a step.",
    unit: "s",
    min: 0,
    queries: [{ expr: `lockstep_worker_shard_seconds{${WORKERS}}`, legend: "{{worker}}" }],
  });

const heartbeats = () =>
  graph({
    title: "Since a worker was heard",
    description: "Of whatever kind. Workers that are there are heard every second or so.",
    unit: "s",
    min: 0,
    queries: [{ expr: `lockstep_worker_heartbeat_age_seconds{${WORKERS}}`, legend: "{{worker}}" }],
  });

const shards = () =>
  graph({
    title: "Shards a second, by worker",
    description: "How the work is shared out: faster workers get more.",
    unit: "short",
    min: 0,
    stacked: true,
    queries: [{ expr: rate("lockstep_worker_shards_total", `${WORKERS}, ${NOT_GONE}`), legend: "{{worker}}" }],
  });

const workShare = () =>
  graph({
    title: "Share of time at work, by worker",
    description: "Computing and making inputs, of each worker's time. A low one waits: it is fast, or far away.",
    unit: "percentunit",
    min: 0,
    max: 1,
    queries: [{ expr: `worker:busy_share:rate1m{${WORKERS}}`, legend: "{{worker}}" }],
  });

const computeTime = () =>
  graph({
    title: "Computing within a step, p95, by worker",
    description: "As workers themselves say, where they were started with --metrics-port and Prometheus reads them.",
    unit: "s",
    min: 0,
    queries: [
      { expr: quantile(0.95, "lockstep_worker_step_compute_seconds", ["worker"], WORKERS), legend: "{{worker}}" },
    ],
  });

const losses = () =>
  graph({
    title: "Workers joined and lost",
    description: "Lost: died or failed. Their shards are computed by others, and no sample is lost.",
    unit: "short",
    min: 0,
    decimals: 0,
    bars: true,
    queries: [
      { expr: `increase(lockstep_workers_joined_total{${RUN}}[$__rate_interval])`, legend: "joined" },
      { expr: `increase(lockstep_workers_lost_total{${RUN}}[$__rate_interval])`, legend: "lost" },
    ],
    colours: { joined: "green", lost: "red" },
  });

const lateShards = () =>
  graph({
    title: "Shards computed by others",
    description: "Reassigned, since their worker was lost, or computed twice, since it was late.",
    unit: "short",
    min: 0,
    decimals: 0,
    bars: true,
    queries: [
      { expr: `increase(lockstep_shards_reassigned_total{${RUN}}[$__rate_interval])`, legend: "reassigned" },
      { expr: `increase(lockstep_shards_late_total{${RUN}}[$__rate_interval])`, legend: "late" },
    ],
    colours: { reassigned: "red", late: "orange" },
  });

const rejections = () =>
  graph({
    title: "Results rejected so far, by reason",
    description:
      "Answers that did not count, since the process started. A few after a loss or a late worker are harmless: another " +
      "answer counted.",
    unit: "short",
    min: 0,
    decimals: 0,
    // Not an increase: a reason shows up with its first rejection, which an increase would miss.
    queries: [{ expr: `sum by (reason) (lockstep_results_rejected_total{${RUN}})`, legend: "{{reason}}" }],
  });
