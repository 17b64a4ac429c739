import type { TrainConfig } from "../../../src/shared/config.ts";
import { configFrom } from "../../../src/shared/config-resolve.ts";
import type { Dataset } from "../../../src/shared/data/dataset.ts";
import { syntheticDataset } from "../../support/synthetic-dataset.ts";
import { Draws } from "../draws.ts";

/** What is trained: a small run of some 10 to 25 steps. */
export interface Scenario {
  readonly config: TrainConfig;
  readonly dataset: Dataset;
}

const LARGEST_BATCH = 16;
const [FEWEST_STEPS, MOST_STEPS] = [10, 25];
const TRAIN_IMAGES = LARGEST_BATCH * (MOST_STEPS + 1);
/** One, two and more chunks of evaluation, the last of them short. */
const TEST_IMAGES = [90, 300, 620, 1_300];

const datasets = new Map<number, Dataset>();

/** @param number decides everything, from 0 */
export function scenarioOf(number: number): Scenario {
  const draws = new Draws(number);
  const epochs = 1 + draws.below(3);
  const steps = Math.ceil(FEWEST_STEPS / epochs) + draws.below(Math.floor((MOST_STEPS - FEWEST_STEPS) / epochs) + 1);
  const batchSize = 1 + draws.below(LARGEST_BATCH);
  const testImages = draws.pick(TEST_IMAGES);
  const config: { -readonly [Key in keyof TrainConfig]?: TrainConfig[Key] } = {
    ...{ epochs, batchSize, shardSize: 1 + draws.below(batchSize) },
    // The last batch of an epoch is a short one.
    limitTrain: (steps - 1) * batchSize + 1 + draws.below(batchSize),
    schedule: draws.pick(["constant", "cosine", "one-cycle"]),
    ema: draws.pick([0, 0.9, 0.998]),
    augment: draws.uniform() < 0.15,
    // Norms of the noise are spread around it.
    ...(draws.uniform() < 0.5 ? { clipNorm: 10 ** draws.between(1, 4) } : {}),
    checkpointEvery: draws.below(6),
    minWorkers: draws.uniform() < 0.2 ? 2 : 1,
    seed: 1 + draws.below(1_000),
    ...(draws.uniform() < 0.3 ? { validation: 1 + draws.below(batchSize) } : {}),
    ...(draws.uniform() < 0.3 ? { weightDecay: draws.between(0, 0.1), labelSmoothing: draws.between(0, 0.3) } : {}),
  };
  const { validation, limitTrain } = config;
  // As many steps as without.
  if (validation !== undefined && limitTrain !== undefined) config.limitTrain = limitTrain + validation;
  if (validation !== undefined && draws.uniform() < 0.5) config.patience = 1 + draws.below(2);
  return { config: configFrom("train", config), dataset: datasetOf(testImages) };
}

function datasetOf(testImages: number): Dataset {
  const known = datasets.get(testImages) ?? syntheticDataset(TRAIN_IMAGES, testImages, testImages);
  datasets.set(testImages, known);
  return known;
}
