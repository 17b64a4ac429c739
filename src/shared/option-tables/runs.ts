/** Options about runs and measurements. */

import { integer, oneOf, pathArguments, someOf, text, toggle } from "../config-values.ts";
import { checkpoints } from "./training.ts";

export const finishedRun = {
  runDir: text("DIR", "the folder of a run").describe("the run to report on (required)"),
};

export const comparedRuns = {
  runDirs: pathArguments("RUN_DIR", "folders of runs, such as runs/*").describe("folders of the runs to compare"),
};

export const comparison = {
  by: oneOf(["test-accuracy", "validation-accuracy", "train-loss", "time"])
    .default("test-accuracy")
    .describe("what the runs are sorted by, the best first"),
  html: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("also write a page there, with the curves of all runs"),
};

export const recording = {
  events: text("FILE", "the path of a recording").describe("the recording that --record-events wrote (required)"),
};

export const interruptions = {
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

export const bench = {
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
