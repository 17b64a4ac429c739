/**
 * Every option of every command, in one place: types, defaults, help and validation.
 *
 * An option is a key of one of the tables in `option-tables/`. Its flag is the key in kebab-case (`--batch-size`), its environment
 * variable `LOCKSTEP_` and the key in capitals (`LOCKSTEP_BATCH_SIZE`), its name in a `--config` file the key itself.
 */

import { z } from "zod";
import { computeConflict } from "./config-gpus.ts";
import { networkConflict } from "./config-network.ts";
import { stepConflict } from "./config-steps.ts";
import { checkpoints, data, limits, training, trainingData } from "./option-tables/training.ts";
import { engine, fleet, gpu, localWorkers, shareGpu } from "./option-tables/workers.ts";
import { connection, doorKeys, listen, newKeys, relaying, visitorKeys } from "./option-tables/network.ts";
import { json, jsonLines, log, metrics, output, quiet, reports, workerMetrics } from "./option-tables/output.ts";
import {
  checkpoint,
  demoAddress,
  demonstrated,
  exported,
  predicted,
  preparation,
  trained,
} from "./option-tables/models.ts";
import {
  bench,
  type BENCH_SUITES,
  comparedRuns,
  comparison,
  finishedRun,
  interruptions,
  recording,
} from "./option-tables/runs.ts";

/** Not an option: whether somebody asked for `metricsPort`; if not, and it is taken, another port will do. */
const derived = { metricsPortExplicit: z.boolean() };

/** The options of each command, under the headings that its help shows. */
export const COMMAND_OPTIONS = {
  train: {
    Training: { ...training, ...limits },
    Data: trainingData,
    Workers: { ...localWorkers, ...fleet },
    Checkpoints: checkpoints,
    Output: output,
    Metrics: metrics,
  },
  coordinator: {
    Network: { ...listen, ...doorKeys },
    Training: { ...training, ...limits },
    Data: trainingData,
    Workers: fleet,
    Checkpoints: checkpoints,
    Output: output,
    Metrics: metrics,
  },
  worker: {
    Network: { ...connection, ...visitorKeys },
    Compute: { ...engine, ...gpu, ...shareGpu, ...data },
    Output: { ...log, ...quiet },
    Metrics: workerMetrics,
  },
  relay: {
    Network: { ...connection, ...relaying, ...doorKeys, ...visitorKeys },
    Output: { ...log, ...quiet },
    Metrics: workerMetrics,
  },
  report: { Input: { ...finishedRun, ...data }, Output: quiet },
  compare: { Input: comparedRuns, Output: { ...comparison, ...json } },
  eval: { Input: { ...checkpoint, ...data }, Compute: { ...engine, ...gpu }, Output: json },
  export: { Input: trained, Output: { ...exported, ...quiet } },
  predict: { Input: predicted, Preparation: preparation, Compute: { ...engine, ...gpu }, Output: jsonLines },
  demo: { Input: demonstrated, Network: demoAddress },
  keygen: { Output: { ...newKeys, ...quiet } },
  doctor: { Input: data, Output: json },
  bench: { Measuring: bench, Data: data, Output: reports },
  replay: { Input: recording, Output: { ...json, ...quiet } },
  "verify-resume": {
    Interruptions: interruptions,
    Training: training,
    Data: trainingData,
    Workers: localWorkers,
    Output: { ...json, ...quiet },
  },
} as const satisfies Record<string, Record<string, OptionTable>>;

export type CommandName = keyof typeof COMMAND_OPTIONS;
export type OptionTable = Readonly<Record<string, z.ZodType>>;

const trainingSchema = z.object({
  ...{ ...training, ...trainingData, ...fleet, ...checkpoints, ...limits },
  ...{ ...output, ...metrics, ...derived },
});

export const COMMAND_SCHEMAS = {
  train: trainingSchema.extend(localWorkers),
  coordinator: trainingSchema.extend({ ...listen, ...doorKeys }),
  worker: z.object({
    ...connection,
    ...visitorKeys,
    ...engine,
    ...gpu,
    ...shareGpu,
    ...data,
    ...log,
    ...quiet,
    ...workerMetrics,
  }),
  relay: z.object({ ...connection, ...relaying, ...doorKeys, ...visitorKeys, ...log, ...quiet, ...workerMetrics }),
  report: z.object({ ...finishedRun, ...data, ...quiet }),
  compare: z.object({ ...comparedRuns, ...comparison, ...json }),
  eval: z.object({ ...checkpoint, ...data, ...engine, ...gpu, ...json }),
  export: z.object({ ...trained, ...exported, ...quiet }),
  predict: z.object({ ...predicted, ...preparation, ...engine, ...gpu, ...jsonLines }),
  demo: z.object({ ...demonstrated, ...demoAddress }),
  keygen: z.object({ ...newKeys, ...quiet }),
  doctor: z.object({ ...data, ...json }),
  bench: z.object({ ...bench, ...data, ...reports }),
  replay: z.object({ ...recording, ...json, ...quiet }),
  "verify-resume": z.object({ ...interruptions, ...training, ...trainingData, ...localWorkers, ...json, ...quiet }),
} as const satisfies Record<CommandName, z.ZodObject>;

/** What `train` and `coordinator` have in common. */
export type TrainingConfig = z.infer<typeof trainingSchema>;
export type TrainConfig = z.infer<typeof COMMAND_SCHEMAS.train>;
export type CoordinatorConfig = z.infer<typeof COMMAND_SCHEMAS.coordinator>;
export type WorkerConfig = z.infer<typeof COMMAND_SCHEMAS.worker>;
export type RelayConfig = z.infer<typeof COMMAND_SCHEMAS.relay>;
export type PredictConfig = z.infer<typeof COMMAND_SCHEMAS.predict>;
export type DemoConfig = z.infer<typeof COMMAND_SCHEMAS.demo>;
export type EvalConfig = z.infer<typeof COMMAND_SCHEMAS.eval>;
export type CompareConfig = z.infer<typeof COMMAND_SCHEMAS.compare>;
export type ExportConfig = z.infer<typeof COMMAND_SCHEMAS.export>;
export type ReportConfig = z.infer<typeof COMMAND_SCHEMAS.report>;
export type DoctorConfig = z.infer<typeof COMMAND_SCHEMAS.doctor>;
export type KeygenConfig = z.infer<typeof COMMAND_SCHEMAS.keygen>;
export type BenchConfig = z.infer<typeof COMMAND_SCHEMAS.bench>;
export type ReplayConfig = z.infer<typeof COMMAND_SCHEMAS.replay>;
export type VerifyResumeConfig = z.infer<(typeof COMMAND_SCHEMAS)["verify-resume"]>;
export type BenchSuite = (typeof BENCH_SUITES)[number];

/** The options that decide the weights, together with the data and the engine: a run is resumed with the same ones. */
export const DECISIVE_OPTIONS: readonly (keyof TrainingConfig)[] = [
  ...(Object.keys(training) as (keyof typeof training)[]).filter((key) => key !== "recipe"),
  "limitTrain",
];

/** What `--resume` does not take over from the run: the options of a run that are about one start of it. */
export const OPTIONS_OF_ONE_START: readonly (keyof CoordinatorConfig)[] = [
  ...([
    "resume",
    "runDir",
    "trace",
    "recordEvents",
    "report",
    "logFormat",
    "json",
    "quiet",
    "metricsPort",
    "metricsHost",
    "metricsTokenFile",
    "maxMinutes",
    "key",
    "allow",
    "insecure",
  ] as const),
];

/** The resolved options of a command. */
export type CommandConfig<Command extends CommandName> = z.infer<(typeof COMMAND_SCHEMAS)[Command]>;

/** What a recipe sets where nobody sets anything else; `seed` is the defaults themselves. */
export const RECIPES = {
  seed: {},
  fast: { schedule: "one-cycle", lr: 0.012, epochs: 1, labelSmoothing: 0.1 },
  best: {
    ...{ schedule: "one-cycle", lr: 0.006, batchSize: 128, epochs: 15 },
    ...{ augment: true, labelSmoothing: 0.05, weightDecay: 0.05 },
  },
} as const satisfies Record<TrainingConfig["recipe"], Partial<TrainingConfig>>;

/** A problem that no option has alone, as a sentence; `name` gives an option's name as the user wrote it. */
export function conflict(
  config: Partial<TrainConfig & CoordinatorConfig & WorkerConfig>,
  name: (key: string) => string,
): string | undefined {
  const { workers, minWorkers, patience, validation } = config;
  if (patience !== undefined && validation === 0) {
    const images = `${name("validation")} images`;
    return `${name("patience")} needs ${images}, whose errors tell whether an epoch was better; give some, such as 5000`;
  }
  if (typeof workers === "number" && minWorkers !== undefined && minWorkers > workers) {
    return `${name("minWorkers")} ${minWorkers} can never be reached with ${name("workers")} ${workers}; allowed: at most ${workers}`;
  }
  return stepConflict(config, name) ?? networkConflict(config, name) ?? computeConflict(config, name);
}

/**
 * The configuration as plain JSON, fit for `config.json`, and to be given again with `--config`: a metrics port that
 * nobody asked for is left out, so that it is not insisted on then, and so is whether this start resumed the run.
 */
export function publicConfig(config: CommandConfig<CommandName>): Record<string, unknown> {
  const hidden = ["resume"];
  if ("metricsPortExplicit" in config && !config.metricsPortExplicit) hidden.push("metricsPort");
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !(key in derived) && !hidden.includes(key) && value !== undefined),
  );
}
