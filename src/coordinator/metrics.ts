/** A run's Prometheus metrics. The only file that imports prom-client. */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { TrainingConfig } from "../shared/config.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { PhaseTotals } from "./phase-totals.ts";
import { Throughput } from "./throughput.ts";

/** From a tiny batch on one core to a first step that compiles GPU kernels, in seconds. */
const STEP_BUCKETS_S = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Reasons come from this program, but a label must stay bounded whatever they are. */
const MAX_REASONS = 32;
/** Workers told apart at most; a fleet has fewer. */
const MAX_WORKERS = 512;

const WORKER_LABELS = ["worker", "host", "pid", "engine", "device", "runtime", "driver"] as const;
type WorkerLabels = Record<(typeof WORKER_LABELS)[number], string>;

interface MetricsOptions {
  readonly config: TrainingConfig;
  /** Of lockstep itself. */
  readonly version: string;
  /** Milliseconds of any one clock that never runs backwards, such as `performance.now`. */
  readonly now: () => number;
}

/**
 * Counts what happens in a run. `record` only adds to plain numbers (and one histogram); everything else is done when
 * somebody asks for the metrics. Each run has its own registry.
 */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #stepDuration: Histogram;
  readonly #now: () => number;
  #throughput: Throughput;

  // Gauges that are undefined have no sample yet: a loss of 0 before the first step would be a lie.
  #loss: number | undefined;
  #testAccuracy: number | undefined;
  #trainAccuracy: number | undefined;
  #learningRate: number | undefined;
  #gradientNorm: number | undefined;
  #checkpointStep: number | undefined;
  #epoch = 0;
  #workers = 0;
  #steps = 0;
  #samples = 0;
  #epochSamplesCounted = 0;
  #epochsCovered = 0;
  #checkpoints = 0;
  #checkpointFailures = 0;
  #workersLost = 0;
  #shardsReassigned = 0;
  #shardsLate = 0;
  readonly #rejected = new Map<string, number>();
  readonly #phases = new PhaseTotals();
  /** Of the workers that are there. */
  readonly #workerLabels = new Map<string, WorkerLabels>();

  constructor({ config, version, now }: MetricsOptions) {
    this.#now = now;
    this.#throughput = new Throughput(now());
    this.contentType = this.#registry.contentType;
    this.#stepDuration = new Histogram({
      name: "lockstep_step_duration_seconds",
      help: "Time from a step's first assignment to its new weights.",
      buckets: STEP_BUCKETS_S,
      registers: [this.#registry],
    });
    this.#gauge("lockstep_loss", "Mean loss of the last step's global batch, in nats.", () => this.#loss);
    this.#gauge("lockstep_train_accuracy_ratio", "Accuracy on the last epoch's training samples, from 0 to 1.", () => {
      return this.#trainAccuracy;
    });
    this.#gauge("lockstep_test_accuracy_ratio", "Accuracy on the test set after the last epoch, from 0 to 1.", () => {
      return this.#testAccuracy;
    });
    this.#gauge("lockstep_learning_rate", "Learning rate of the last step.", () => this.#learningRate);
    if (config.clipNorm !== undefined) {
      this.#gauge("lockstep_gradient_norm", "Norm of the last step's gradient before it was clipped.", () => {
        return this.#gradientNorm;
      });
    }
    this.#gauge("lockstep_epoch", "Epoch of the last step, from 1; 0 before the first.", () => this.#epoch);
    this.#gauge("lockstep_workers_connected", "Workers that are ready now.", () => this.#workers);
    this.#gauge("lockstep_samples_per_second", "Training samples a second over the last 10 seconds of training.", () =>
      this.#throughput.samplesPerSecond(this.#now()),
    );
    this.#counter("lockstep_steps_total", "Steps applied to the weights.", () => this.#steps);
    this.#counter("lockstep_samples_total", "Training samples that went into the weights.", () => this.#samples);
    this.#gauge(
      "lockstep_epoch_samples_counted",
      "Samples of the epoch under way that have counted so far, each of them once.",
      () => this.#epochSamplesCounted,
    );
    this.#counter(
      "lockstep_epochs_covered_total",
      "Epochs in which every sample was found to count exactly once.",
      () => this.#epochsCovered,
    );
    this.#gauge("lockstep_checkpoint_step", "Step of the last checkpoint that is safely on disk.", () => {
      return this.#checkpointStep;
    });
    this.#counter("lockstep_checkpoints_total", "Checkpoints that were written.", () => this.#checkpoints);
    this.#counter(
      "lockstep_checkpoint_failures_total",
      "Checkpoints that could not be written; the training went on.",
      () => this.#checkpointFailures,
    );
    this.#counter("lockstep_workers_lost_total", "Workers that died or failed.", () => this.#workersLost);
    this.#counter("lockstep_shards_reassigned_total", "Shards handed to another worker.", () => this.#shardsReassigned);
    this.#counter(
      "lockstep_shards_late_total",
      "Shards that idle workers computed as well, since the worker that owed them was late.",
      () => this.#shardsLate,
    );
    this.#rejections();
    this.#workerInfos();
    this.#workerPhases();
    this.#coordinatorPhases();
    this.#info("lockstep_run_info", "The run's settings.", {
      recipe: config.recipe,
      seed: String(config.seed),
      epochs: String(config.epochs),
      batch_size: String(config.batchSize),
      shard_size: String(config.shardSize),
      schedule: config.schedule,
      augment: String(config.augment),
    });
    this.#info("lockstep_build_info", "The versions that run.", { version, node: process.version });
  }

  record(event: TrainingEvent): void {
    switch (event.type) {
      case "started":
        this.#workers = event.workers;
        this.#throughput = new Throughput(this.#now());
        return;
      case "step":
        this.#loss = event.loss;
        this.#learningRate = event.learningRate;
        this.#gradientNorm = event.gradientNorm ?? undefined;
        this.#epoch = event.epoch;
        this.#epochSamplesCounted = event.samplesCounted;
        this.#workers = event.workers;
        this.#steps++;
        this.#samples += event.samples;
        this.#throughput.step(this.#now(), event.samples);
        this.#stepDuration.observe(event.stepMs / 1000);
        this.#phases.add(event.phases);
        return;
      case "epoch":
        this.#testAccuracy = event.testAccuracy;
        this.#trainAccuracy = event.trainAccuracy;
        this.#epochsCovered++;
        this.#throughput.skip(this.#now());
        return;
      case "worker-joined":
        this.#workers = event.workers;
        if (this.#workerLabels.size < MAX_WORKERS) this.#workerLabels.set(event.worker, workerLabels(event));
        return;
      case "waiting":
        this.#workers = event.workers;
        return;
      case "worker-left":
        this.#workers = event.workers;
        this.#shardsReassigned += event.shardsReassigned;
        if (event.lost) this.#workersLost++;
        this.#phases.departed(event.worker);
        this.#workerLabels.delete(event.worker);
        return;
      case "worker-late":
        this.#shardsLate += event.shards;
        return;
      case "rejected": {
        const known = this.#rejected.has(event.reason) || this.#rejected.size < MAX_REASONS;
        const reason = known ? event.reason : "other";
        this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
        return;
      }
      case "resumed":
        this.#checkpointStep = event.step;
        return;
      case "checkpoint":
        this.#checkpointStep = event.step;
        this.#checkpoints++;
        return;
      case "checkpoint-failed":
        this.#checkpointFailures++;
        return;
      case "listening":
      case "monitoring":
      case "workers-chosen":
      case "warning":
      case "finished":
        return;
      default:
        event satisfies never;
    }
  }

  /** The run's metrics and the process's, in the Prometheus text format. */
  async text(): Promise<string> {
    const [run, ofProcess] = await Promise.all([this.#registry.metrics(), processMetrics().metrics()]);
    return `${run}\n${ofProcess}`;
  }

  #gauge(name: string, help: string, value: () => number | undefined): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        const current = value();
        if (current === undefined) this.remove();
        else this.set(current);
      },
    });
  }

  #counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #rejections(): void {
    const rejected = this.#rejected;
    new Counter({
      name: "lockstep_results_rejected_total",
      help: "Results that did not count, by reason; harmless, since another answer did.",
      labelNames: ["reason"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [reason, count] of rejected) this.inc({ reason }, count);
      },
    });
  }

  #workerInfos(): void {
    const workers = this.#workerLabels;
    new Gauge({
      name: "lockstep_worker_info",
      help: "The workers that are there, and what each computes with; empty where an engine has no such thing.",
      labelNames: WORKER_LABELS,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const labels of workers.values()) this.set(labels, 1);
      },
    });
  }

  #workerPhases(): void {
    const { workers } = this.#phases;
    new Counter({
      name: "lockstep_worker_phase_seconds_total",
      help:
        "Time of training steps by worker and phase. wait: idle, until all was there that a step needs; gather: making " +
        "inputs; compute: engine and sums; wire: messages on their way, most of which is waiting too. " +
        'Workers that left long ago are worker="gone" together.',
      labelNames: ["worker", "phase"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [worker, totals] of workers) {
          for (const [phase, ms] of Object.entries(totals)) this.inc({ worker, phase }, ms / 1000);
        }
      },
    });
  }

  #coordinatorPhases(): void {
    const { coordinator } = this.#phases;
    new Counter({
      name: "lockstep_coordinator_phase_seconds_total",
      help:
        "Time of training steps that the coordinator was busy, by phase. decide: reading messages and deciding; " +
        "reduce: adding up sums; adam: optimizer and average of the weights; send: writing messages.",
      labelNames: ["phase"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [phase, ms] of Object.entries(coordinator)) this.inc({ phase }, ms / 1000);
      },
    });
  }

  #info(name: string, help: string, labels: Record<string, string>): void {
    new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] }).set(labels, 1);
  }
}

function workerLabels(event: Extract<TrainingEvent, { type: "worker-joined" }>): WorkerLabels {
  const { worker, host, pid, engine, device, runtime = "", driver = "" } = event;
  return { worker, host, pid: String(pid), engine, device, runtime, driver };
}

let ofProcess: Registry | undefined;

/** Once a process: the observers behind prom-client's default metrics can never be stopped. */
function processMetrics(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}
