import type { StepPhases, TrainingEvent } from "../shared/events.ts";
import { BucketCounts, WORK_BUCKETS_S } from "../shared/metrics/bucket-counts.ts";
import type { Labels, MetricRegistry } from "../shared/metrics/registry.ts";
import { PhaseTotals } from "./phase-totals.ts";

/** The coordinator's part of a step, in seconds. */
const COORDINATOR_BUCKETS_S = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
];

const PER_WORKER =
  ' Workers that left long ago are worker="gone" together, to which a lifetime is added at once: leave it out of rates. ' +
  'Those beyond 512 are worker="other".';
const WORKER_PHASES_HELP =
  "wait: idle, until all was there that a step needs; gather: making inputs; compute: engine and sums; " +
  "wire: messages on their way, most of which is waiting too.";
const COORDINATOR_PHASES_HELP =
  "decide: reading messages and deciding; reduce: adding up sums; adam: optimizer and average of the weights; " +
  "send: writing messages.";

/** Where the time of steps goes, by worker and for the coordinator. */
export class PhaseMetrics {
  readonly #totals = new PhaseTotals();
  readonly #workers = bucketsOf(["wait", "gather", "compute", "wire"], WORK_BUCKETS_S);
  readonly #coordinator = bucketsOf(["decide", "reduce", "adam", "send", "tail"], COORDINATOR_BUCKETS_S);

  constructor(registry: MetricRegistry) {
    const { workers, shards, coordinator } = this.#totals;
    registry.counters(
      "lockstep_worker_phase_seconds_total",
      `Time of training steps by worker and phase. ${WORKER_PHASES_HELP}${PER_WORKER}`,
      ["worker", "phase"],
      (set) => {
        for (const [worker, totals] of workers) {
          for (const [phase, ms] of Object.entries(totals)) set({ worker, phase }, ms / 1000);
        }
      },
    );
    registry.counters(
      "lockstep_worker_shards_total",
      `Shards of training steps that the worker was given and answered.${PER_WORKER}`,
      ["worker"],
      (set) => {
        for (const [worker, count] of shards) set({ worker }, count);
      },
    );
    registry.counters(
      "lockstep_coordinator_phase_seconds_total",
      `Time of training steps that the coordinator was busy, by phase. ${COORDINATOR_PHASES_HELP}`,
      ["phase"],
      (set) => {
        for (const [phase, ms] of Object.entries(coordinator)) set({ phase }, ms / 1000);
      },
    );
    registry.histogram(
      "lockstep_worker_phase_duration_seconds",
      `Time of a phase in a training step: one observation for each step and worker. ${WORKER_PHASES_HELP}`,
      labelled(this.#workers),
    );
    registry.histogram(
      "lockstep_coordinator_phase_duration_seconds",
      `Time that the coordinator was busy with a phase in a training step. ${COORDINATOR_PHASES_HELP} ` +
        "tail: from the last result's leaving a worker to the new weights, when all workers wait.",
      labelled(this.#coordinator),
    );
  }

  record(event: TrainingEvent): void {
    if (event.type === "worker-left") this.#totals.departed(event.worker);
    else if (event.type === "step") this.#step(event.phases);
  }

  #step(phases: StepPhases): void {
    this.#totals.add(phases);
    for (const { waitMs, gatherMs, computeMs, wireMs } of phases.workers) {
      this.#workers.wait.observe(waitMs / 1000);
      this.#workers.gather.observe(gatherMs / 1000);
      this.#workers.compute.observe(computeMs / 1000);
      this.#workers.wire.observe(wireMs / 1000);
    }
    const { decideMs, reduceMs, adamMs, sendMs, tailMs } = phases.coordinator;
    this.#coordinator.decide.observe(decideMs / 1000);
    this.#coordinator.reduce.observe(reduceMs / 1000);
    this.#coordinator.adam.observe(adamMs / 1000);
    this.#coordinator.send.observe(sendMs / 1000);
    this.#coordinator.tail.observe(tailMs / 1000);
  }
}

function bucketsOf<Phase extends string>(phases: readonly Phase[], bounds: readonly number[]) {
  return Object.fromEntries(phases.map((phase) => [phase, new BucketCounts(bounds)])) as Record<Phase, BucketCounts>;
}

function labelled(buckets: Readonly<Record<string, BucketCounts>>): (readonly [Labels, BucketCounts])[] {
  return Object.entries(buckets).map(([phase, counts]) => [{ phase }, counts] as const);
}
