import type { TrainingConfig } from "../shared/config.ts";
import type { Evaluation, TrainingEvent } from "../shared/events.ts";
import { BucketCounts } from "../shared/metrics/bucket-counts.ts";
import type { MetricRegistry } from "../shared/metrics/registry.ts";
import { Throughput } from "./throughput.ts";

/** From a tiny batch on one core to a first step that compiles GPU kernels, in seconds. */
const STEP_BUCKETS_S = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

interface Options {
  readonly config: TrainingConfig;
  /** Milliseconds of any one clock that never runs backwards. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly time: () => number;
}

/** How the training goes: what it has learned, how far it is, and how fast. */
export class TrainingMetrics {
  readonly #now: () => number;
  readonly #stepSeconds = new BucketCounts(STEP_BUCKETS_S);
  #throughput: Throughput;

  // Gauges that are undefined have no sample yet: a loss of 0 before the first step would be a lie.
  #loss: number | undefined;
  #trainLoss: number | undefined;
  #trainAccuracy: number | undefined;
  #testAccuracy: number | undefined;
  #validationAccuracy: number | undefined;
  #bestEpoch: number | undefined;
  #learningRate: number | undefined;
  #gradientNorm: number | undefined;
  #runSteps: number | undefined;
  #epoch = 0;
  #step = 0;
  #steps = 0;
  #samples = 0;
  #epochSamplesCounted = 0;
  #epochsCovered = 0;
  #isFinished = false;

  constructor(registry: MetricRegistry, options: Options) {
    this.#now = options.now;
    this.#throughput = new Throughput(options.now());
    this.#addLearning(registry);
    this.#addCourse(registry, options.config, options.time() / 1000);
    this.#addPace(registry);
  }

  record(event: TrainingEvent): void {
    switch (event.type) {
      case "resumed":
        this.#step = event.step;
        this.#runSteps = event.totalSteps;
        this.#epoch = event.epoch;
        this.#bestEpoch = event.bestEpoch ?? undefined;
        return;
      case "started":
        this.#step = event.step;
        this.#runSteps = event.totalSteps;
        this.#throughput = new Throughput(this.#now());
        return;
      case "step":
        this.#loss = event.loss;
        this.#learningRate = event.learningRate;
        if (event.gradientNorm !== null) this.#gradientNorm = event.gradientNorm;
        this.#epoch = event.epoch;
        this.#epochSamplesCounted = event.samplesCounted;
        this.#step = event.step;
        this.#steps += 1;
        this.#samples += event.samples;
        this.#throughput.step(this.#now(), event.samples);
        this.#stepSeconds.observe(event.stepMs / 1000);
        return;
      case "epoch":
        this.#trainLoss = event.trainLoss;
        this.#trainAccuracy = event.trainAccuracy;
        if (event.isBest) this.#bestEpoch = event.epoch;
        this.#epochsCovered += 1;
        this.#evaluated(event);
        return;
      case "end-evaluated":
        this.#evaluated(event);
        return;
      case "finished":
        this.#isFinished = true;
        return;
      default:
    }
  }

  #evaluated({ testAccuracy, validationAccuracy }: Evaluation): void {
    this.#testAccuracy = testAccuracy;
    this.#validationAccuracy = validationAccuracy ?? undefined;
    this.#throughput.skip(this.#now());
  }

  #addLearning(registry: MetricRegistry): void {
    registry.gauge("lockstep_loss", "Mean loss of the last step's global batch, in nats.", () => this.#loss);
    registry.gauge("lockstep_train_loss", "Mean loss over the last finished epoch, in nats.", () => this.#trainLoss);
    registry.gauge(
      "lockstep_train_accuracy_ratio",
      "Accuracy on the last epoch's training samples, from 0 to 1.",
      () => this.#trainAccuracy,
    );
    registry.gauge(
      "lockstep_test_accuracy_ratio",
      "Accuracy on the test set in the last evaluation, from 0 to 1.",
      () => this.#testAccuracy,
    );
    registry.gauge(
      "lockstep_validation_accuracy_ratio",
      "Accuracy on the images held out for validation in the last evaluation, from 0 to 1.",
      () => this.#validationAccuracy,
    );
    registry.gauge(
      "lockstep_best_epoch",
      "Epoch after which the fewest validation images were wrong, of equals the first; from 1.",
      () => this.#bestEpoch,
    );
    registry.gauge("lockstep_learning_rate", "Learning rate of the last step.", () => this.#learningRate);
    registry.gauge(
      "lockstep_gradient_norm",
      "Norm over all weights, before clipping, of the last gradient that was measured.",
      () => this.#gradientNorm,
    );
  }

  #addCourse(registry: MetricRegistry, { epochs }: TrainingConfig, startSeconds: number): void {
    registry.gauge("lockstep_epoch", "Epoch of the last step, from 1; 0 before the first.", () => this.#epoch);
    registry.gauge("lockstep_epochs", "Epochs of the whole run.", () => epochs);
    registry.gauge("lockstep_step", "Steps done, those before a resume included.", () => this.#step);
    registry.gauge("lockstep_run_steps", "Steps of the whole run.", () => this.#runSteps);
    registry.gauge("lockstep_run_start_timestamp_seconds", "When this start of the run began, in Unix time.", () => {
      return startSeconds;
    });
    registry.gauge("lockstep_run_finished", "1 once the run is over, 0 until then.", () => Number(this.#isFinished));
    registry.gauge(
      "lockstep_epoch_samples_counted",
      "Samples of the epoch under way that have counted so far, each of them once.",
      () => this.#epochSamplesCounted,
    );
    registry.counter(
      "lockstep_epochs_covered_total",
      "Epochs in which every sample was found to count exactly once.",
      () => this.#epochsCovered,
    );
  }

  #addPace(registry: MetricRegistry): void {
    registry.gauge(
      "lockstep_samples_per_second",
      "Training samples a second over the last 10 seconds of training.",
      () => this.#throughput.samplesPerSecond(this.#now()),
    );
    registry.counter("lockstep_steps_total", "Steps applied to the weights since this start.", () => this.#steps);
    registry.counter("lockstep_samples_total", "Training samples that went into the weights since this start.", () => {
      return this.#samples;
    });
    registry.histogram("lockstep_step_duration_seconds", "Time from a step's first assignment to its new weights.", [
      [{}, this.#stepSeconds],
    ]);
  }
}
