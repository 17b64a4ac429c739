import { basename, resolve } from "node:path";
import type { TrainingConfig } from "../shared/config.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { addTraffic, type Traffic } from "../shared/metrics/message-counts.ts";
import { MetricRegistry } from "../shared/metrics/registry.ts";
import { CheckpointMetrics } from "./metrics-checkpoints.ts";
import { FleetMetrics } from "./metrics-fleet.ts";
import { PhaseMetrics } from "./metrics-phases.ts";
import { TrainingMetrics } from "./metrics-training.ts";
import type { RosterEntry } from "./roster.ts";

interface MetricsOptions {
  readonly config: TrainingConfig;
  /** Of lockstep itself. */
  readonly version: string;
  /** Milliseconds of any one clock that never runs backwards, such as `performance.now`. */
  readonly now: () => number;
  /** Milliseconds since 1970, such as `Date.now`. */
  readonly time: () => number;
}

/** What is looked at only when somebody asks; a `Coordinator` is one. */
export interface MetricsSource {
  roster(): readonly RosterEntry[];
  readonly traffic: Traffic;
  /** Samples that should have counted and did not, and that counted twice. */
  readonly coverage: { readonly lost: number; readonly repeated: number };
}

/**
 * Counts what happens in a run, for Prometheus: docs/METRICS.md lists it all. `record` only adds to plain numbers;
 * everything else is done when somebody asks for the metrics.
 */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new MetricRegistry();
  readonly #parts: readonly { record(event: TrainingEvent): void }[];
  #source: MetricsSource | undefined;

  constructor({ config, version, now, time }: MetricsOptions) {
    const registry = this.#registry;
    this.contentType = registry.contentType;
    this.#parts = [
      new TrainingMetrics(registry, { config, now, time }),
      new FleetMetrics(registry, config.minWorkers, () => this.#source?.roster() ?? []),
      new PhaseMetrics(registry),
      new CheckpointMetrics(registry, time),
    ];
    registry.counter(
      "lockstep_samples_lost_total",
      "Samples that should have gone into the weights and did not: 0, or the run has failed.",
      () => this.#source?.coverage.lost ?? 0,
    );
    registry.counter(
      "lockstep_samples_repeated_total",
      "Samples that went into the weights twice in an epoch: 0, or the run has failed.",
      () => this.#source?.coverage.repeated ?? 0,
    );
    addInfos(registry, config, version);
  }

  /**
   * Names the run in all series, and says where the rest can be looked up; until then nothing is told. To be called once.
   * @param runDir the run's folder, whose name is the run's
   */
  watch(runDir: string, source: MetricsSource): void {
    this.#source = source;
    this.#registry.label({ run: runName(runDir) });
    addTraffic(this.#registry, "lockstep", source.traffic);
  }

  record(event: TrainingEvent): void {
    for (const part of this.#parts) part.record(event);
  }

  /** The run's metrics and the process's, in the Prometheus text format; empty before `watch`. */
  async text(): Promise<string> {
    return this.#source === undefined ? "" : this.#registry.text();
  }
}

/** A run is called like its folder. */
export function runName(runDir: string): string {
  return basename(resolve(runDir));
}

function addInfos(registry: MetricRegistry, config: TrainingConfig, version: string): void {
  const about = {
    recipe: config.recipe,
    seed: String(config.seed),
    epochs: String(config.epochs),
    batch_size: String(config.batchSize),
    shard_size: String(config.shardSize),
    schedule: config.schedule,
    augment: String(config.augment),
  };
  registry.info("lockstep_run_info", "The run's settings.", Object.keys(about), () => about);
  const build = { version, node: process.version };
  registry.info("lockstep_build_info", "The versions that run.", Object.keys(build), () => build);
}
