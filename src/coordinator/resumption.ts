import type { Checkpoint } from "../shared/checkpoint.ts";
import { isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { flagName } from "../shared/config-resolve.ts";
import { DECISIVE_OPTIONS, type TrainingConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { LockstepError } from "../shared/errors.ts";
import { formatCount, formatPlural } from "../shared/format.ts";
import { defaultOf } from "../shared/option-default.ts";
import { hasNoPatience } from "./machine/course.ts";
import { FROM_SCRATCH, type Start } from "./machine/types.ts";
import type { RunPlan } from "./plan.ts";

/** What a run is taken up from. Whether it may be, and what follows from it; pure. */
export interface Resumption {
  /** The checkpoint's. */
  readonly path: string;
  readonly checkpoint: Checkpoint;
}

/** Where the machine begins. */
export function startOf(resumption: Resumption | undefined): Start {
  if (resumption === undefined) return FROM_SCRATCH;
  const { step, progress } = resumption.checkpoint;
  const { evaluatedEpochs, validation } = progress;
  if (validation === undefined) return { step, evaluatedEpochs };
  const { samples, best } = validation;
  return { step, evaluatedEpochs, best: { epoch: best.epoch - 1, correct: samples - best.errors } };
}

/** Whether nothing is left to do: all epochs are done, or early stopping has ended the run. */
export function isComplete({ epochs, patience }: TrainingConfig, resumption: Resumption | undefined): boolean {
  if (resumption === undefined) return false;
  const { evaluatedEpochs, best } = startOf(resumption);
  if (evaluatedEpochs >= epochs) return true;
  // Less patience than before may have run out amid an epoch: the machine then finishes that epoch, and looks again.
  return isJustEvaluated(resumption.checkpoint) && hasNoPatience({ patience }, evaluatedEpochs, best);
}

/**
 * Checks that a run with these options and this data goes on from the checkpoint as if it had never stopped.
 *
 * @throws LockstepError `usage`, a line for each option that decides the weights and is another one; `refused` when the
 * data are others
 */
export function requireSameRun(
  config: TrainingConfig,
  dataset: DatasetSummary,
  plan: RunPlan,
  { path, checkpoint }: Resumption,
): void {
  if (checkpoint.dataDigest !== dataset.digest) {
    throw new LockstepError(
      "refused",
      `${path} was trained on other data than ${dataset.name} (digest ${checkpoint.dataDigest.slice(0, 8)}, here ` +
        `${dataset.digest.slice(0, 8)}): name the same with --data, or start another run without --resume`,
    );
  }
  const problems = DECISIVE_OPTIONS.flatMap((key) => {
    const [given, before] = [config[key], checkpoint.config[key] ?? defaultOf(key)];
    // It decides when the run ends, and no weights on the way there.
    if (given === before || key === "patience") return [];
    const problem = key === "epochs" ? epochsProblem(config, plan, checkpoint) : difference(key, given, before);
    return problem === undefined ? [] : [`${problem} (${path})`];
  });
  if (problems.length > 0) throw new LockstepError("usage", problems.join("\n"));
  const { step, progress } = checkpoint;
  const epochs = plan.epochOf(step);
  const owed = epochs - progress.evaluatedEpochs;
  if (step > plan.totalSteps || owed < 0 || owed > 1 || (owed === 1 && step % plan.stepsPerEpoch !== 0)) {
    throw new LockstepError(
      "refused",
      `${path} contradicts itself: ${formatPlural(step, "step")} are done, and ` +
        `${formatPlural(progress.evaluatedEpochs, "epoch")} of ${formatPlural(plan.stepsPerEpoch, "step")} evaluated; ` +
        "use the checkpoint before it",
    );
  }
}

function difference(key: keyof TrainingConfig, given: unknown, before: unknown): string {
  const flag = flagName(key);
  const is = given === undefined ? "is not given" : `is ${shown(given)}`;
  const was = before === undefined ? "without it" : `with ${shown(before)}`;
  const same = given === undefined ? `give ${flag} ${shown(before)}` : `leave ${flag} out`;
  return `${flag} ${is}, but the run was trained ${was} so far: ${same}, or start another run without --resume`;
}

/** With a constant learning rate, weights on the way to more epochs are those on the way to fewer. */
function epochsProblem(
  { epochs, schedule }: TrainingConfig,
  plan: RunPlan,
  checkpoint: Checkpoint,
): string | undefined {
  const flag = flagName("epochs");
  if (schedule !== "constant") {
    const before = shown(checkpoint.config.epochs);
    return (
      `${flag} is ${epochs}, but the run was begun with ${before}, by which its ${schedule} schedule sets the ` +
      `learning rates: leave ${flag} out, or start another run without --resume`
    );
  }
  if (checkpoint.step <= plan.totalSteps) return undefined;
  return (
    `${flag} is ${epochs}, but the run has done ${formatCount(checkpoint.step)} steps, which are more than that: ` +
    `give at least ${Math.ceil(checkpoint.step / plan.stepsPerEpoch)}`
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Tells of an engine that is none of those that computed so far. @returns a sentence, once */
export function engineWatch({ checkpoint }: Resumption): (engine: string) => string | undefined {
  const known = checkpoint.engine.split("+");
  let told = false;
  return (engine) => {
    if (told || known.includes(engine)) return undefined;
    told = true;
    return (
      `the run was trained with the ${checkpoint.engine} engine so far, and goes on with ${engine}: its weights will ` +
      "agree with those of an undisturbed run within rounding only"
    );
  };
}
