import type { ComparedRun, RunFigures } from "../../src/compare/compared-run.ts";
import { comparedOptions } from "../../src/compare/run-options.ts";
import { publicConfig, type TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";

/** Runs that never were, for the tests of what is made of them. */

export function madeUpRun(
  name: string,
  options: Partial<TrainConfig> = {},
  { figures = {}, ...changes }: Partial<Omit<ComparedRun, "figures">> & { figures?: Partial<RunFigures> } = {},
): ComparedRun {
  return {
    ...{ name, runDir: `runs/${name}`, ending: { type: "complete" }, notes: [] },
    options: comparedOptions(publicConfig(configFrom("train", options))),
    figures: {
      ...{ testAccuracy: 0.98, bestTestAccuracy: 0.99, bestEpoch: 2, trainLoss: 0.1, epochs: 3, seconds: 10 },
      ...{ validationAccuracy: null, validationEpoch: null },
      ...{ samplesPerSecond: 20_000, engine: "wasm", weightsSha256: "0123456789abcdef0123", ...figures },
    },
    course: [1, 2, 3].map((epoch) => {
      const testAccuracy = 0.9 + epoch / 100;
      return { epoch, seconds: epoch * 3, testAccuracy, validationAccuracy: null, trainLoss: 1 / epoch };
    }),
    ...changes,
  };
}
