import type { Checkpoint } from "../shared/checkpoint.ts";
import { messageOf } from "../shared/errors.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { CheckpointStore, type SavedCheckpoint, type Saving } from "./checkpoint-store.ts";
import type { CheckpointSink } from "./run-checkpoints.ts";

interface ReportedCheckpointsOptions {
  /** Of the run's checkpoints. */
  readonly folder: string;
  /** Newest ones that are kept. */
  readonly keep: number;
  readonly emit: (event: TrainingEvent) => void;
  /** What a checkpoint knows of must not be lost with this process. May throw what the run is to end with. */
  readonly beforeSave?: () => void;
  /** As in `CheckpointStore`. */
  readonly refuge?: string;
}

/**
 * A run's checkpoint store, with what becomes of each checkpoint as an event. People are warned when writing begins to
 * fail and told when it works again, not each time in between.
 */
export class ReportedCheckpoints implements CheckpointSink {
  readonly #emit: (event: TrainingEvent) => void;
  readonly #beforeSave: () => void;
  #store!: CheckpointStore;
  #isFailing = false;
  /** The newest that was to be saved. */
  #step = 0;

  private constructor(emit: (event: TrainingEvent) => void, beforeSave: () => void) {
    this.#emit = emit;
    this.#beforeSave = beforeSave;
  }

  static async open({
    emit,
    beforeSave = () => {},
    ...options
  }: ReportedCheckpointsOptions): Promise<ReportedCheckpoints> {
    const reported = new ReportedCheckpoints(emit, beforeSave);
    reported.#store = await CheckpointStore.open({
      ...options,
      onSaved: (saved) => reported.#saved(saved),
      onFailed: (message) => reported.#failed(message),
      onWarning: (message) => emit({ type: "warning", message }),
    });
    return reported;
  }

  save(checkpoint: Checkpoint, saving: Saving): void {
    this.#step = checkpoint.step;
    this.#beforeSave();
    this.#store.save(checkpoint, saving);
  }

  async saveLast(checkpoint: Checkpoint, saving: Saving): Promise<string> {
    this.#beforeSave();
    const saved = this.#store.saveLast(checkpoint, saving);
    this.#step = checkpoint.step;
    // Where the last one went is news, whatever has been told before.
    this.#isFailing = false;
    try {
      return await saved;
    } catch (thrown) {
      this.#emit({ type: "checkpoint-failed", message: messageOf(thrown), step: this.#step });
      throw thrown;
    }
  }

  settled(): Promise<void> {
    return this.#store.settled();
  }

  #saved({ path, step, sizeBytes, durationMs }: SavedCheckpoint): void {
    this.#emit({ type: "checkpoint", path, step, sizeBytes, durationMs });
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#emit({ type: "warning", message: `checkpoints are written again: ${path}` });
  }

  #failed(message: string): void {
    this.#emit({ type: "checkpoint-failed", message, step: this.#step });
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#emit({ type: "warning", message });
  }
}
