/**
 * Every option of every command, in one place: types, defaults, help and validation.
 *
 * An option is a key of one of the tables below. Its flag is the key in kebab-case (`--batch-size`), its environment
 * variable `LOCKSTEP_` and the key in capitals (`LOCKSTEP_BATCH_SIZE`), its name in a `--config` file the key itself.
 */

import { z } from "zod";
import { computeConflict } from "./config-gpus.ts";
import { networkConflict } from "./config-network.ts";
import { stepConflict } from "./config-steps.ts";
import {
  connectEndpoint,
  decimal,
  fraction,
  gpuChoice,
  gpuChoices,
  integer,
  integerOrAuto,
  keyName,
  listenEndpoint,
  oneOf,
  pathArguments,
  positiveNumber,
  someOf,
  text,
  toggle,
} from "./config-values.ts";

const training = {
  recipe: oneOf(["seed", "fast", "best"])
    .default("seed")
    .describe("settings measured together; other options override them"),
  epochs: integer(1, 10_000).default(10).describe("passes over the training set"),
  batchSize: integer(1, 65_536).default(64).describe("samples in a step, over all workers together"),
  shardSize: integer(1, 4096).default(32).describe("samples in a unit of work, which has its own BatchNorm statistics"),
  lr: positiveNumber(10).default(0.001).describe("Adam's learning rate, the peak of the schedule"),
  schedule: oneOf(["constant", "cosine", "one-cycle"])
    .default("constant")
    .describe("how the learning rate changes over the run"),
  warmupEpochs: decimal(0, 10_000)
    .exactOptional()
    .describe("epochs in which the learning rate rises to --lr; none if not given, with one-cycle 15 % of the run"),
  weightDecay: decimal(0, 1)
    .default(0)
    .describe("decay of the weights, not of biases and BatchNorm, apart from the gradient, as AdamW's"),
  labelSmoothing: fraction()
    .default(0)
    .describe("how much of each label is spread evenly over all classes, in the loss that is trained"),
  accumulate: integer(1, 65_536)
    .default(1)
    .describe("batches whose gradients make one step: the same as a --batch-size so many times as large"),
  ema: fraction()
    .default(0.998)
    .describe("how much of the weights' running average a step keeps; the average is what is tested and saved"),
  augment: toggle().default(false).describe("distort the training images at random; part of recipe best"),
  clipNorm: positiveNumber(1_000_000)
    .exactOptional()
    .describe("scale gradients whose norm over all weights is larger down to it; not clipped if not given"),
  validation: integer(0, 1_000_000_000)
    .default(0)
    .describe(
      "training images to hold out, chosen by the seed; the best epoch is then the one with the fewest errors there",
    ),
  patience: integer(1, 10_000)
    .exactOptional()
    .describe("end the run after so many epochs without fewer errors on the --validation images"),
  seed: integer(0, Number.MAX_SAFE_INTEGER).default(1).describe("decides initial weights, order and distortion"),
};

const data = {
  data: text("DIR", "a folder with the four MNIST IDX files")
    .exactOptional()
    .describe("folder with the MNIST IDX files, instead of the copy that is installed"),
};

const trainingData = {
  ...data,
  limitTrain: integer(1, 1_000_000_000).exactOptional().describe("use only the first N training images"),
};

const limits = {
  maxMinutes: positiveNumber(100_000)
    .exactOptional()
    .describe("end the run after so many minutes, with a last evaluation and a checkpoint to --resume from"),
};

const fleet = {
  minWorkers: integer(1, 256).default(1).describe("pause while fewer workers are ready"),
  joinTimeoutS: integer(0, 604_800)
    .default(600)
    .describe("give up after this many seconds below --min-workers; 0 waits for ever"),
};

const log = {
  logFormat: oneOf(["text", "json"])
    .default("text")
    .describe(
      "what is said on stderr and stdout: lines for people, or an object a line with time, run, worker and step",
    ),
};

const json = { json: toggle().default(false).describe("print the result as one JSON object, the last line on stdout") };
const quiet = { quiet: toggle().default(false).describe("print only the result and warnings") };

const output = {
  runDir: text("DIR", "a folder that holds no run yet, or with --resume one that does")
    .exactOptional()
    .describe("folder for config, metrics and checkpoints; runs/<time>-seed<seed> if not given"),
  logEvery: integer(1, 1_000_000).default(400).describe("steps between two lines of progress"),
  trace: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("write when each worker and the coordinator did what, for chrome://tracing or ui.perfetto.dev"),
  recordEvents: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("write all that the coordinator is told and decides, for lockstep replay"),
  report: toggle().default(true).describe("write report.html into the run's folder at the end"),
  ...log,
  ...json,
  ...quiet,
};

const checkpoints = {
  resume: toggle()
    .default(false)
    .describe("go on with the run in --run-dir, or the newest in runs/, from its last checkpoint, with its options"),
  checkpointEvery: integer(0, 1_000_000_000, "STEPS")
    .default(0)
    .describe("steps between two checkpoints, besides one after each epoch; 0: only those"),
  keepCheckpoints: integer(1, 1_000_000, "K").default(3).describe("newest checkpoints to keep, besides the best one"),
};

const metrics = {
  metricsPort: integer(0, 65_535).default(9464).describe("port of /metrics, /healthz and /status; 0 takes a free one"),
  metricsHost: text("HOST", "a host name or address of this machine")
    .default("127.0.0.1")
    .describe("address that the metrics port listens on"),
  metricsTokenFile: text("FILE", "the path of a file that holds a token")
    .exactOptional()
    .describe("who reads the metrics port has to show this file's contents; /healthz and /readyz stay open"),
};

const workerMetrics = {
  metricsPort: integer(0, 65_535)
    .exactOptional()
    .describe("port of this worker's own /metrics and /healthz; 0 takes a free one; not served if not given"),
  metricsHost: metrics.metricsHost,
  metricsTokenFile: metrics.metricsTokenFile,
};

const engine = {
  engine: oneOf(["auto", "wasm", "tensorflow", "webgpu", "reference"])
    .default("auto")
    .describe("what computes the gradients; auto is wasm, or tensorflow where a GPU is named"),
  deterministic: toggle()
    .default(true)
    .describe("the same work gives the same bits, which is slower on GPUs; wasm and reference always do"),
};

const gpu = {
  gpu: gpuChoice()
    .default("auto")
    .describe(
      "the GPU that engine tensorflow computes on; auto: the first that no other lockstep uses, if there is any",
    ),
};

const shareGpu = {
  shareGpu: toggle().default(false).describe("let several workers of this machine compute on one GPU"),
};

const localWorkers = {
  workers: integerOrAuto(1, 256)
    .default("auto")
    .describe("workers to start on this machine; auto takes one per core that helps"),
  ...engine,
  gpus: gpuChoices().exactOptional().describe("GPUs for engine tensorflow, a worker on each; all if not given"),
  ...shareGpu,
  isolation: oneOf(["auto", "thread", "process"])
    .default("auto")
    .describe(
      "workers as threads that share memory, or as processes over ZeroMQ, as in a fleet; auto: threads with engines " +
        "wasm and reference, which is faster, processes with the others",
    ),
};

const listen = {
  listen: listenEndpoint().default("tcp://127.0.0.1:5555").describe("address that workers connect to"),
};

const ownKey = {
  key: text("FILE", "the path of a secret key, NAME.key of lockstep keygen")
    .exactOptional()
    .describe("this end's secret key: all that is sent is encrypted, and only those with the right keys can join"),
};

const doorKeys = {
  ...ownKey,
  allow: text("FILE", "the path of a list of public keys, workers.allow of lockstep keygen")
    .exactOptional()
    .describe("public keys of the workers that may join, a line each; may change while the run goes on"),
  insecure: toggle()
    .default(false)
    .describe("listen to other machines without keys: anyone who can reach the port can join and spoil the run"),
};

const visitorKeys = {
  ...ownKey,
  coordinatorKey: text("FILE", "the path of a public key, coordinator.pub of lockstep keygen")
    .exactOptional()
    .describe("public key of whom it connects to; of several in the file each is tried in turn"),
};

const connection = {
  connect: connectEndpoint().default("tcp://127.0.0.1:5555").describe("the coordinator's address"),
  coordinatorTimeoutS: integer(1, 604_800)
    .default(60)
    .describe("give up after this many seconds without a coordinator"),
};

const relaying = {
  listen: listenEndpoint().default("tcp://127.0.0.1:5556").describe("address that workers and relays below connect to"),
  joinTimeoutS: integer(0, 604_800)
    .default(600)
    .describe("give up after this many seconds with nobody below; 0 waits for ever"),
};

const newKeys = {
  keys: text("DIR", "a folder").default("keys").describe("folder for the keys; what is there already is kept"),
  name: keyName()
    .exactOptional()
    .describe("make one pair of this name, to be added to a list; without it, a set for a coordinator and its workers"),
};

const checkpoint = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)").describe("the checkpoint to evaluate (required)"),
};

const trained = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)").describe("the checkpoint to export (required)"),
};

const exported = {
  format: oneOf(["safetensors", "tfjs", "onnx"]).describe(
    "whom it is for: safetensors are the weights alone, for PyTorch and others, tfjs is a model for TensorFlow.js, " +
      "onnx one for ONNX runtimes (required)",
  ),
  out: text("PATH", "the path of a file to write, of a folder for tfjs")
    .exactOptional()
    .describe("where the model goes; lenet5.safetensors, lenet5-tfjs/ or lenet5.onnx if not given"),
  force: toggle().default(false).describe("replace a model that is there"),
  foldBatchNorm: toggle()
    .default(false)
    .describe("leave batch normalisation out: the convolutions do its work as well"),
  withPreprocessing: toggle()
    .default(false)
    .describe("the model takes pixels of 28x28 images, and resizes and normalises them itself; not for safetensors"),
};

const predicted = {
  images: pathArguments("IMAGE", "image files: PNG, JPEG, PGM or IDX; - for one that is piped in").describe(
    "PNG, JPEG and PGM files of any size, IDX files as data sets have them; - reads one image from stdin",
  ),
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)")
    .exactOptional()
    .describe("the weights to predict with; the best of the newest run in runs/ if not given"),
  data: text("DIR", "a folder")
    .exactOptional()
    .describe("folder with classes.txt, which names the classes; that of the run's data if not given"),
};

const demonstrated = {
  checkpoint: text("FILE", "the path of a checkpoint (.safetensors)")
    .exactOptional()
    .describe("the weights to show; the best of the newest run in runs/ if not given"),
  data: text("DIR", "a folder with the four MNIST IDX files")
    .exactOptional()
    .describe("folder with test images to try and classes.txt; that of the run's data if not given"),
};

const demoAddress = {
  port: integer(0, 65_535)
    .exactOptional()
    .describe("port of the page; 8080 if not given, or a free one where that is taken; 0 takes a free one"),
  host: text("HOST", "a host name or address of this machine")
    .default("127.0.0.1")
    .describe("address that the page is served on"),
};

const preparation = {
  invert: oneOf(["auto", "yes", "no"])
    .default("auto")
    .describe("exchange dark and light; auto: where the ink is darker than the picture's edge"),
  fit: oneOf(["auto", "yes", "no"])
    .default("auto")
    .describe("cut the ink out, scale and centre it as in MNIST; auto: unless the picture has 28x28 pixels"),
};

const jsonLines = { json: toggle().default(false).describe("print a JSON object for each image, a line each") };

const finishedRun = {
  runDir: text("DIR", "the folder of a run").describe("the run to report on (required)"),
};

const comparedRuns = {
  runDirs: pathArguments("RUN_DIR", "folders of runs, such as runs/*").describe("folders of the runs to compare"),
};

const comparison = {
  by: oneOf(["test-accuracy", "validation-accuracy", "train-loss", "time"])
    .default("test-accuracy")
    .describe("what the runs are sorted by, the best first"),
  html: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("also write a page there, with the curves of all runs"),
};

const recording = {
  events: text("FILE", "the path of a recording").describe("the recording that --record-events wrote (required)"),
};

const interruptions = {
  interruptions: integer(1, 100).default(4).describe("how often the run is ended, by SIGKILL and SIGTERM in turns"),
  checkpointEvery: checkpoints.checkpointEvery,
};

/** What `lockstep bench` can measure, in the order in which it does. */
export const BENCH_SUITES = [
  "engine",
  "step",
  "reduce",
  "codec",
  "exchange",
  "training",
  "time-to-accuracy",
  "memory",
] as const;

const bench = {
  only: someOf(BENCH_SUITES).exactOptional().describe("what to measure; everything if not given"),
  rounds: integer(1, 100)
    .exactOptional()
    .describe("how often each figure is taken, in turns with the others; 5 if not given, 1 with --quick"),
  quick: toggle().default(false).describe("little work: shows that everything runs, not how fast"),
  engines: someOf(["wasm", "tensorflow", "webgpu", "reference"])
    .default(["wasm", "reference"])
    .describe("what suite engine measures, the others against the first"),
  soakSteps: integer(100, 100_000_000).default(4_000).describe("steps of the run that memory watches"),
};

const reports = {
  jsonFile: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("also write all figures there, as JSON"),
  markdownFile: text("FILE", "the path of a file to write").exactOptional().describe("also write the tables there"),
  ...json,
};

/** Not an option: whether somebody asked for `metricsPort`; if not, and it is taken, another port will do. */
const derived = { metricsPortExplicit: z.boolean() };

/** The options of each command, under the headings that its help shows. */
export const COMMAND_OPTIONS = {
  train: {
    Training: training,
    Data: trainingData,
    Workers: { ...localWorkers, ...fleet },
    Checkpoints: { ...checkpoints, ...limits },
    Output: output,
    Metrics: metrics,
  },
  coordinator: {
    Network: { ...listen, ...doorKeys },
    Training: training,
    Data: trainingData,
    Workers: fleet,
    Checkpoints: { ...checkpoints, ...limits },
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
  fast: { schedule: "one-cycle", lr: 0.004, batchSize: 64, epochs: 4 },
  best: { schedule: "one-cycle", lr: 0.006, batchSize: 128, epochs: 15, augment: true },
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
