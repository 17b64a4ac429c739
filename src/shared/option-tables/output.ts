/** Options about what is said, written and served. */

import { integer, oneOf, text, toggle } from "../config-values.ts";

export const log = {
  logFormat: oneOf(["text", "json"])
    .default("text")
    .describe(
      "what is said on stderr and stdout: lines for people, or an object a line with time, run, worker and step",
    ),
};

export const json = {
  json: toggle().default(false).describe("print the result as one JSON object, the last line on stdout"),
};

export const quiet = { quiet: toggle().default(false).describe("print only the result and warnings") };

export const jsonLines = { json: toggle().default(false).describe("print a JSON object for each image, a line each") };

export const output = {
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

export const metrics = {
  metricsPort: integer(0, 65_535).default(9464).describe("port of /metrics, /healthz and /status; 0 takes a free one"),
  metricsHost: text("HOST", "a host name or address of this machine")
    .default("127.0.0.1")
    .describe("address that the metrics port listens on"),
  metricsTokenFile: text("FILE", "the path of a file that holds a token")
    .exactOptional()
    .describe("who reads the metrics port has to show this file's contents; /healthz and /readyz stay open"),
};

export const workerMetrics = {
  metricsPort: integer(0, 65_535)
    .exactOptional()
    .describe("port of this worker's own /metrics and /healthz; 0 takes a free one; not served if not given"),
  metricsHost: metrics.metricsHost,
  metricsTokenFile: metrics.metricsTokenFile,
};

export const reports = {
  jsonFile: text("FILE", "the path of a file to write")
    .exactOptional()
    .describe("also write all figures there, as JSON"),
  markdownFile: text("FILE", "the path of a file to write").exactOptional().describe("also write the tables there"),
  ...json,
};
