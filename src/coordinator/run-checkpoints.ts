import type { Checkpoint } from "../shared/checkpoint.ts";
import { publicConfig, type TrainingConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import type { ModelState } from "./model-state.ts";
import type { RunPlan } from "./plan.ts";
import type { Resumption } from "./resumption.ts";
import type { RunStatistics } from "./run-statistics.ts";

/**
 * Where a run's checkpoints go; a `CheckpointStore` is one. It takes their values before it returns: the next step
 * changes them.
 */
export interface CheckpointSink {
  /**
   * Writes a checkpoint while training goes on.
   * @throws LockstepError "diverged" when a value is not finite
   */
  save(checkpoint: Checkpoint, about: { readonly isEvaluated: boolean }): void;
  /**
   * The run's last one.
   * @returns its path
   * @throws LockstepError "diverged", or "failed" when it can be written nowhere
   */
  saveLast(checkpoint: Checkpoint, about: { readonly isEvaluated: boolean }): Promise<string>;
  /** Once nothing is being written. */
  settled(): Promise<void>;
}

interface Sources {
  readonly config: TrainingConfig;
  readonly dataset: DatasetSummary;
  readonly plan: RunPlan;
  readonly model: ModelState;
  readonly statistics: RunStatistics;
  readonly sink: CheckpointSink | undefined;
  readonly resumption: Resumption | undefined;
}

/** When a run's state is saved, and what is saved of it. */
export class RunCheckpoints {
  readonly #sources: Sources;
  #isDue = false;

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** A step is done. After an epoch's last one it is the evaluation that makes a checkpoint due. */
  stepDone(steps: number): void {
    const { config, plan } = this.#sources;
    const { checkpointEvery } = config;
    if (checkpointEvery > 0 && steps % checkpointEvery === 0 && steps % plan.stepsPerEpoch !== 0) this.#isDue = true;
  }

  /** An epoch was evaluated. */
  epochEvaluated(): void {
    this.#isDue = true;
  }

  /**
   * Saves the state if that is due: to be called once workers have been sent what they wait for.
   * @throws LockstepError "diverged" when a value is not finite
   */
  saveIfDue(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#sources.sink?.save(this.#checkpoint(), { isEvaluated: this.#isEvaluated });
  }

  /** The run is ending: what is due is left to `saveLast`. */
  ending(): void {
    this.#isDue = false;
  }

  /**
   * Saves the run's last state.
   * @returns its path; empty where there is nothing to save
   * @throws LockstepError "diverged" when a value is not finite, "failed" when it can be written nowhere
   */
  async saveLast(): Promise<string> {
    const { model, sink, resumption, statistics } = this.#sources;
    if (model.step === 0 || sink === undefined) return "";
    const before = resumption?.checkpoint;
    const { evaluatedEpochs } = statistics.progress;
    if (
      resumption !== undefined &&
      before?.step === model.step &&
      before.progress.evaluatedEpochs === evaluatedEpochs
    ) {
      return resumption.path;
    }
    return sink.saveLast(this.#checkpoint(), { isEvaluated: this.#isEvaluated });
  }

  /** Once nothing is being written. */
  async settled(): Promise<void> {
    await this.#sources.sink?.settled();
  }

  /** Whether the weights are those of the last evaluation. */
  get #isEvaluated(): boolean {
    const { model, plan, statistics } = this.#sources;
    return model.step > 0 && model.step === statistics.progress.evaluatedEpochs * plan.stepsPerEpoch;
  }

  /** Partly views of what the next step changes. */
  #checkpoint(): Checkpoint {
    const { config, dataset, plan, model, statistics } = this.#sources;
    const { step } = model;
    return {
      formatVersion: 2,
      ...{ step, epoch: plan.epochOf(step), seed: config.seed, adamStep: step, config: publicConfig(config) },
      ...{ dataDigest: dataset.digest, engine: statistics.engine, progress: statistics.progress },
      ...{ state: model.average, latest: model.state, adamM: model.adamM, adamV: model.adamV },
    };
  }
}
