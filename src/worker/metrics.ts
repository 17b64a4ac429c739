import { basename } from "node:path";
import { BucketCounts, WORK_BUCKETS_S } from "../shared/metrics/bucket-counts.ts";
import { addTraffic, MessageCounts } from "../shared/metrics/message-counts.ts";
import { MetricRegistry } from "../shared/metrics/registry.ts";
import type { Welcome } from "../shared/protocol/messages.ts";
import type { Engine } from "./engines/engine.ts";
import type { Task } from "./machine/types.ts";

interface WorkerMetricsOptions {
  readonly engine: Pick<Engine, "name" | "device" | "runtime">;
  /** Version of the driver of the GPU that the engine computes on. */
  readonly driver?: string | undefined;
  /** Of lockstep itself. */
  readonly version: string;
  readonly isConnected: () => boolean;
}

/**
 * Counts what a worker does, for Prometheus: docs/METRICS.md lists it all. Counting only adds to plain numbers. Since the
 * coordinator has welcomed it, all series carry the run and the worker's name in it.
 */
export class WorkerMetrics {
  readonly contentType: string;
  readonly traffic = { sent: MessageCounts.ofWorkers(), received: MessageCounts.ofCoordinator() };
  readonly #registry = new MetricRegistry();
  readonly #tasks = { step: 0, evaluation: 0 };
  #names: { readonly run: string; readonly worker: string } | undefined;
  #samples = 0;
  readonly #computeSeconds = new BucketCounts(WORK_BUCKETS_S);

  constructor({ engine, driver = "", version, isConnected }: WorkerMetricsOptions) {
    const registry = this.#registry;
    this.contentType = registry.contentType;
    registry.gauge(
      "lockstep_worker_connected",
      "1 while the worker is welcome and hears the coordinator, else 0.",
      () => Number(isConnected()),
    );
    registry.counters("lockstep_worker_tasks_total", "Assignments that were computed, by type.", ["type"], (set) => {
      for (const [type, count] of Object.entries(this.#tasks)) set({ type }, count);
    });
    registry.counter("lockstep_worker_samples_total", "Training samples that were computed.", () => this.#samples);
    registry.histogram(
      "lockstep_worker_step_compute_seconds",
      "Time of an assignment of a training step in the engine and in adding up shards.",
      [[{}, this.#computeSeconds]],
    );
    addTraffic(registry, "lockstep_worker", this.traffic);
    const { name, device, runtime = "" } = engine;
    const about = { engine: name, device, runtime, driver };
    registry.info(
      "lockstep_worker_engine_info",
      "What the worker computes with; empty where an engine has no such thing.",
      Object.keys(about),
      () => about,
    );
    const build = { version, node: process.version };
    registry.info("lockstep_build_info", "The versions that run.", Object.keys(build), () => build);
  }

  welcomed({ name, runId }: Pick<Welcome, "name" | "runId">): void {
    this.#names = { run: basename(runId), worker: name };
    this.#registry.label(this.#names);
  }

  /** The run and this worker's name in it, as they were told last; null before. */
  get names(): { readonly run: string | null; readonly worker: string | null } {
    return this.#names ?? { run: null, worker: null };
  }

  /** A task was computed to its end. @param computeMs in the engine, and adding up shards */
  computed(task: Task, computeMs: number): void {
    if (task.type === "evaluate") {
      this.#tasks.evaluation += 1;
      return;
    }
    this.#tasks.step += 1;
    for (const { count } of task.shards) this.#samples += count;
    this.#computeSeconds.observe(computeMs / 1000);
  }

  /** All of it and the process's metrics, in the Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.text();
  }
}
