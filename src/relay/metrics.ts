import { basename } from "node:path";
import { addTraffic, MessageCounts } from "../shared/metrics/message-counts.ts";
import { MetricRegistry } from "../shared/metrics/registry.ts";
import type { Rejection } from "./machine/types.ts";

interface RelayMetricsOptions {
  /** Of lockstep itself. */
  readonly version: string;
  readonly isConnected: () => boolean;
  /** Members below that can be given work. */
  readonly workersReady: () => number;
}

/** Counts what a relay passes on, for Prometheus. Since it was welcomed all series carry the run and its name there. */
export class RelayMetrics {
  readonly contentType: string;
  /** As a worker counts it. */
  readonly above = { sent: MessageCounts.ofWorkers(), received: MessageCounts.ofCoordinator() };
  /** As a coordinator counts it. */
  readonly below = { sent: MessageCounts.ofCoordinator(), received: MessageCounts.ofWorkers() };
  readonly #registry = new MetricRegistry();
  readonly #rejected = new Map<Rejection | "too-many", number>();
  #names: { readonly run: string; readonly worker: string } | undefined;

  constructor({ version, isConnected, workersReady }: RelayMetricsOptions) {
    const registry = this.#registry;
    this.contentType = registry.contentType;
    registry.gauge(
      "lockstep_relay_connected",
      "1 while the relay is welcome and hears whoever it connects to, else 0.",
      () => Number(isConnected()),
    );
    registry.gauge("lockstep_relay_workers_ready", "Workers and relays below that can be given work.", workersReady);
    registry.counters(
      "lockstep_relay_results_rejected_total",
      "Results from below that did not count, by reason.",
      ["reason"],
      (set) => {
        for (const [reason, count] of this.#rejected) set({ reason }, count);
      },
    );
    addTraffic(registry, "lockstep_relay_above", this.above);
    addTraffic(registry, "lockstep_relay_below", this.below);
    const build = { version, node: process.version };
    registry.info("lockstep_build_info", "The versions that run.", Object.keys(build), () => build);
  }

  /** @param worker the relay's name in the run */
  welcomed(worker: string, runId: string): void {
    this.#names = { run: basename(runId), worker };
    this.#registry.label(this.#names);
  }

  /** The run and this relay's name in it, as they were told last; null before. */
  get names(): { readonly run: string | null; readonly worker: string | null } {
    return this.#names ?? { run: null, worker: null };
  }

  rejected(reason: Rejection | "too-many"): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }

  /** All of it and the process's metrics, in the Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.text();
  }
}
