import type { BenchSuite } from "../shared/config.ts";
import type { Bench } from "./bench.ts";
import type { SuiteReport } from "./report.ts";
import { codecSuite } from "./suites/codec.ts";
import { engineSuite } from "./suites/engine.ts";
import { exchangeSuite } from "./suites/exchange.ts";
import { memorySuite } from "./suites/memory.ts";
import { reduceSuite } from "./suites/reduce.ts";
import { stepSuite } from "./suites/step.ts";
import { timeToAccuracySuite } from "./suites/time-to-accuracy.ts";
import { trainingSuite } from "./suites/training.ts";

/** What each suite's name stands for. */
export const SUITES = {
  engine: engineSuite,
  step: stepSuite,
  reduce: reduceSuite,
  codec: codecSuite,
  exchange: exchangeSuite,
  training: trainingSuite,
  "time-to-accuracy": timeToAccuracySuite,
  memory: memorySuite,
} as const satisfies Record<BenchSuite, (bench: Bench) => Promise<SuiteReport>>;
