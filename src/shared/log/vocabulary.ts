/**
 * The names of everything that is logged, the same in `--log-format json`, in a run's `log.ndjson` and in `--trace`.
 * They are an interface: docs/LOGS.md lists them, and a name that was published keeps its meaning.
 */

export type Level = "debug" | "info" | "warn" | "error";

/** What a coordinator tells, and how loud. */
export const COORDINATOR_EVENTS = {
  monitoring: "info",
  listening: "info",
  "run-resumed": "info",
  "run-started": "info",
  "worker-joined": "info",
  "worker-left": "info",
  "worker-lost": "warn",
  "worker-late": "info",
  "shards-reassigned": "info",
  "workers-chosen": "info",
  waiting: "warn",
  step: "info",
  epoch: "info",
  "end-evaluated": "info",
  rejected: "info",
  "connection-refused": "warn",
  "checkpoint-saved": "info",
  "checkpoint-failed": "error",
  warning: "warn",
  summary: "info",
  "run-finished": "info",
  "run-failed": "error",
  "report-written": "info",
} as const satisfies Record<string, Level>;

export type CoordinatorEventName = keyof typeof COORDINATOR_EVENTS;

/** What a worker tells, and how loud. */
export const WORKER_EVENTS = {
  starting: "info",
  monitoring: "info",
  connecting: "info",
  welcomed: "info",
  refused: "warn",
  disconnected: "warn",
  draining: "info",
  "task-failed": "error",
  warning: "warn",
  ended: "info",
} as const satisfies Record<string, Level>;

export type WorkerEventName = keyof typeof WORKER_EVENTS;
