import type { TrainingEvent } from "../shared/events.ts";
import { BucketCounts } from "../shared/metrics/bucket-counts.ts";
import type { MetricRegistry } from "../shared/metrics/registry.ts";

/** From a fast disk to a network's that hangs, in seconds. */
const WRITE_BUCKETS_S = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What of the run is safe. */
export class CheckpointMetrics {
  readonly #time: () => number;
  readonly #writeSeconds = new BucketCounts(WRITE_BUCKETS_S);
  #step: number | undefined;
  #writtenAt: number | undefined;
  #sizeBytes: number | undefined;
  #written = 0;
  #failures = 0;

  /** @param time milliseconds since 1970 */
  constructor(registry: MetricRegistry, time: () => number) {
    this.#time = time;
    registry.gauge("lockstep_checkpoint_step", "Step of the last checkpoint that is safely on disk.", () => this.#step);
    registry.gauge(
      "lockstep_checkpoint_timestamp_seconds",
      "When the last checkpoint since this start was safely on disk, in Unix time.",
      () => this.#writtenAt,
    );
    registry.gauge("lockstep_checkpoint_size_bytes", "Size of that checkpoint.", () => this.#sizeBytes);
    registry.counter("lockstep_checkpoints_total", "Checkpoints that were written.", () => this.#written);
    registry.counter(
      "lockstep_checkpoint_failures_total",
      "Checkpoints that could not be written; the training went on.",
      () => this.#failures,
    );
    registry.histogram(
      "lockstep_checkpoint_duration_seconds",
      "Time from the beginning of a checkpoint's writing, beside the training, until it was safely on disk.",
      [[{}, this.#writeSeconds]],
    );
  }

  record(event: TrainingEvent): void {
    switch (event.type) {
      case "resumed":
        this.#step = event.step;
        return;
      case "checkpoint":
        this.#step = event.step;
        this.#writtenAt = this.#time() / 1000;
        this.#sizeBytes = event.sizeBytes;
        this.#written += 1;
        this.#writeSeconds.observe(event.durationMs / 1000);
        return;
      case "checkpoint-failed":
        this.#failures += 1;
        return;
      default:
    }
  }
}
