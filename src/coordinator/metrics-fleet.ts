import type { TrainingEvent } from "../shared/events.ts";
import type { MetricRegistry } from "../shared/metrics/registry.ts";
import { type RosterEntry, WORKER_STATES } from "./roster.ts";

/** Reasons come from this program, but a label must stay bounded whatever they are. */
const MAX_REASONS = 32;
/** Workers told apart at most; a fleet has fewer. */
const MAX_WORKERS = 512;

const WORKER_LABELS = ["worker", "host", "pid", "engine", "device", "runtime", "driver"] as const;

/** Who takes part, who came and went, and whose results did not count. */
export class FleetMetrics {
  #ready = 0;
  #joined = 0;
  #lost = 0;
  #reassigned = 0;
  #late = 0;
  #notFinite = 0;
  #refused = 0;
  readonly #rejected = new Map<string, number>();

  /**
   * @param wanted least workers to train with
   * @param roster the workers that are there now
   */
  constructor(registry: MetricRegistry, wanted: number, roster: () => readonly RosterEntry[]) {
    const firstOf = (): readonly RosterEntry[] => roster().slice(0, MAX_WORKERS);
    this.#addCounts(registry, wanted, roster);
    this.#addAnswers(registry);
    registry.gauges(
      "lockstep_worker_info",
      "The workers that are there, and what each computes with; empty where an engine has no such thing.",
      WORKER_LABELS,
      (set) => {
        for (const { name: worker, host, pid, engine, device, runtime = "", driver = "", ready } of firstOf()) {
          if (ready) set({ worker, host, pid: String(pid), engine, device, runtime, driver }, 1);
        }
      },
    );
    registry.gauges(
      "lockstep_worker_heartbeat_age_seconds",
      "Time since the coordinator heard anything of the worker.",
      ["worker"],
      (set) => {
        for (const { name: worker, silentMs } of firstOf()) set({ worker }, silentMs / 1000);
      },
    );
    registry.gauges("lockstep_worker_shard_seconds", "What a shard takes the worker, smoothed.", ["worker"], (set) => {
      for (const { name: worker, shardMs } of firstOf()) if (shardMs !== undefined) set({ worker }, shardMs / 1000);
    });
  }

  record(event: TrainingEvent): void {
    switch (event.type) {
      case "started":
      case "step":
      case "waiting":
        this.#ready = event.workers;
        return;
      case "worker-joined":
        this.#ready = event.workers;
        this.#joined += 1;
        return;
      case "worker-left":
        this.#ready = event.workers;
        this.#reassigned += event.shardsReassigned;
        if (event.lost) this.#lost += 1;
        return;
      case "worker-late":
        this.#late += event.shards;
        return;
      case "rejected": {
        const isKnown = this.#rejected.has(event.reason) || this.#rejected.size < MAX_REASONS;
        const reason = isKnown ? event.reason : "other";
        this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
        if (event.reason === "not-finite") this.#notFinite += 1;
        return;
      }
      case "connection-refused":
        this.#refused += event.connections;
        return;
      default:
    }
  }

  #addCounts(registry: MetricRegistry, wanted: number, roster: () => readonly RosterEntry[]): void {
    registry.gauge("lockstep_workers_connected", "Workers that are ready now.", () => this.#ready);
    registry.gauges(
      "lockstep_workers",
      "Workers by what they are doing. joining: making their engine ready; ready: given shards; standby: not needed, " +
        "since fewer are faster; late: others compute what they owe as well; leaving: finishing what they owe.",
      ["state"],
      (set) => {
        const workers = roster();
        for (const state of WORKER_STATES) {
          set({ state }, workers.filter((worker) => worker.state === state).length);
        }
      },
    );
    registry.gauge("lockstep_workers_wanted", "Workers without which training pauses.", () => wanted);
    registry.counter("lockstep_workers_joined_total", "Workers that became ready.", () => this.#joined);
    registry.counter(
      "lockstep_connections_refused_total",
      "Connections whose key is not in the list of --allow; up to 10 s behind.",
      () => this.#refused,
    );
    registry.counter("lockstep_workers_lost_total", "Workers that died or failed.", () => this.#lost);
  }

  #addAnswers(registry: MetricRegistry): void {
    registry.counter("lockstep_shards_reassigned_total", "Shards handed to another worker.", () => this.#reassigned);
    registry.counter(
      "lockstep_shards_late_total",
      "Shards that idle workers computed as well, since the worker that owed them was late.",
      () => this.#late,
    );
    registry.counter(
      "lockstep_gradients_not_finite_total",
      "Results with a gradient that was not finite: they did not count, and others compute these shards.",
      () => this.#notFinite,
    );
    registry.counters(
      "lockstep_results_rejected_total",
      "Results that did not count, by reason; harmless, since another answer did.",
      ["reason"],
      (set) => {
        for (const [reason, count] of this.#rejected) set({ reason }, count);
      },
    );
  }
}
