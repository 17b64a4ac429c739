import { describe, expect, test } from "vitest";
import { RunPlan } from "../../src/coordinator/plan.ts";
import { engineWatch, isComplete, requireSameRun, startOf } from "../../src/coordinator/resumption.ts";
import type { Checkpoint } from "../../src/shared/checkpoint.ts";
import { publicConfig, RECIPES, type TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { checkpointOf } from "../support/checkpoints.ts";

const DATASET = { name: "MNIST", digest: "a1b2c3d4e5f6", trainSamples: 6_400, testSamples: 10_000 };

/** What is wrong with going on, with other options, after 150 steps of a run of 100 steps an epoch. */
function problem(
  options: Partial<TrainConfig>,
  before: Partial<TrainConfig> = {},
  changes: Parameters<typeof checkpointOf>[1] = {},
  step = 150,
): unknown {
  const config = configFrom("train", options);
  const checkpoint = checkpointOf(step, {
    ...{ epoch: 1, config: publicConfig(configFrom("train", before)), dataDigest: DATASET.digest },
    progress: { evaluatedEpochs: 1, testErrors: 100 },
    ...changes,
  });
  try {
    requireSameRun(config, DATASET, new RunPlan(config, DATASET), { path: "step-150", checkpoint });
    return undefined;
  } catch (error) {
    return error;
  }
}

const usage = (message: string): unknown => expect.objectContaining({ code: "usage", message });

test("patience may change: it decides when the run ends, and nothing before", () => {
  const validated = { validation: 100, batchSize: 63 };
  expect(problem({ ...validated, patience: 9 }, { ...validated, patience: 2 })).toBeUndefined();
  expect(problem(validated, { ...validated, patience: 2 })).toBeUndefined();
});

test("what does not decide the weights may change", () => {
  expect(
    problem({ workers: 4, isolation: "process", logEvery: 1, minWorkers: 2, checkpointEvery: 5, engine: "reference" }),
  ).toBeUndefined();
  // What counts is what a recipe sets, not its name.
  expect(problem({ recipe: "best" }, RECIPES.best, {}, 75)).toBeUndefined();
});

test.each<[Partial<TrainConfig>, Partial<TrainConfig>, string]>([
  [{ lr: 0.002 }, {}, "--lr is 0.002, but the run was trained with 0.001 so far: leave --lr out"],
  [{ batchSize: 32 }, {}, "--batch-size is 32, but the run was trained with 64 so far: leave --batch-size out"],
  [{}, { shardSize: 16 }, "--shard-size is 32, but the run was trained with 16 so far: leave --shard-size out"],
  [
    { schedule: "cosine" },
    {},
    "--schedule is cosine, but the run was trained with constant so far: leave --schedule out",
  ],
  [{ ema: 0 }, {}, "--ema is 0, but the run was trained with 0.998 so far: leave --ema out"],
  [{ augment: true }, {}, "--augment is true, but the run was trained with false so far: leave --augment out"],
  [{ seed: 2 }, {}, "--seed is 2, but the run was trained with 1 so far: leave --seed out"],
  [{ clipNorm: 1 }, {}, "--clip-norm is 1, but the run was trained without it so far: leave --clip-norm out"],
  [
    {},
    { limitTrain: 640 },
    "--limit-train is not given, but the run was trained with 640 so far: give --limit-train 640",
  ],
])("%j is refused after %j", (options, before, message) => {
  expect(problem(options, before)).toEqual(usage(`${message}, or start another run without --resume (step-150)`));
});

test("each option that differs has its line", () => {
  expect(problem({ lr: 0.002, seed: 2 })).toMatchObject({
    message: expect.stringMatching(/^--lr is.*\n--seed is [^\n]*$/),
  });
});

describe("a checkpoint from before an option was known", () => {
  const old = { config: { epochs: 10, batchSize: 64, shardSize: 32, lr: 0.001, schedule: "constant", ema: 0.998 } };
  const before = { ...old, config: { ...old.config, augment: false, seed: 1 } };

  test("was trained with its default", () => {
    expect(problem({}, {}, before)).toBeUndefined();
    expect(problem({ weightDecay: 0, labelSmoothing: 0, accumulate: 1, validation: 0 }, {}, before)).toBeUndefined();
  });

  test.each<[Partial<TrainConfig>, string]>([
    [{ weightDecay: 0.01 }, "--weight-decay is 0.01, but the run was trained with 0 so far: leave --weight-decay out"],
    [
      { labelSmoothing: 0.1 },
      "--label-smoothing is 0.1, but the run was trained with 0 so far: leave --label-smoothing out",
    ],
    [{ warmupEpochs: 1 }, "--warmup-epochs is 1, but the run was trained without it so far: leave --warmup-epochs out"],
    [{ validation: 64 }, "--validation is 64, but the run was trained with 0 so far: leave --validation out"],
  ])("does not go on with %j", (options, message) => {
    expect(problem(options, {}, before)).toEqual(usage(`${message}, or start another run without --resume (step-150)`));
  });

  test("nor with batches accumulated, of which its epoch would have fewer steps", () => {
    expect(problem({ accumulate: 2 }, {}, before)).toEqual(
      usage(
        "--accumulate is 2, but the run was trained with 1 so far: leave --accumulate out, or start another run " +
          "without --resume (step-150)",
      ),
    );
  });
});

test("a warm-up under a constant learning rate leaves the number of epochs free", () => {
  const warm = { warmupEpochs: 1.5 };
  expect(problem({ ...warm, epochs: 20 }, warm)).toBeUndefined();
  expect(problem({ ...warm, epochs: 2 }, warm)).toBeUndefined();
});

test("more epochs, or fewer that are not done, are allowed where the learning rate stays", () => {
  expect(problem({ epochs: 20 })).toBeUndefined();
  expect(problem({ epochs: 2 })).toBeUndefined();
  expect(problem({ epochs: 1 })).toEqual(
    usage("--epochs is 1, but the run has done 150 steps, which are more than that: give at least 2 (step-150)"),
  );
  const cosine = { schedule: "cosine" } as const;
  expect(problem({ ...cosine, epochs: 20 }, cosine)).toEqual(
    usage(
      "--epochs is 20, but the run was begun with 10, by which its cosine schedule sets the learning rates: leave " +
        "--epochs out, or start another run without --resume (step-150)",
    ),
  );
});

test("other data are refused", () => {
  expect(problem({}, {}, { dataDigest: "0123456789" })).toMatchObject({
    code: "refused",
    message:
      "step-150 was trained on other data than MNIST (digest 01234567, here a1b2c3d4): name the same with --data, or " +
      "start another run without --resume",
  });
});

test.each([
  [150, 0],
  [150, 2],
  [200, 0],
  [200, 3],
])("a checkpoint of step %i with %i epochs evaluated contradicts itself", (step, evaluatedEpochs) => {
  const progress = { evaluatedEpochs, testErrors: evaluatedEpochs === 0 ? null : 1 };
  expect(problem({}, {}, { progress }, step)).toMatchObject({ code: "refused" });
});

test.each([
  [99, 0],
  [100, 0],
  [100, 1],
  [1000, 10],
])("one of step %i with %i epochs evaluated can be", (step, evaluatedEpochs) => {
  const progress = { evaluatedEpochs, testErrors: evaluatedEpochs === 0 ? null : 1 };
  expect(problem({}, {}, { progress }, step)).toBeUndefined();
});

test("the machine begins where the checkpoint ends", () => {
  expect(startOf(undefined)).toEqual({ step: 0, evaluatedEpochs: 0 });
  const checkpoint: Checkpoint = checkpointOf(938, { progress: { evaluatedEpochs: 1, testErrors: 5 } });
  expect(startOf({ path: "", checkpoint })).toEqual({ step: 938, evaluatedEpochs: 1 });
  const validation = { samples: 500, errors: 12, best: { epoch: 3, errors: 10, testErrors: 99 } };
  const validated = checkpointOf(4_690, { progress: { evaluatedEpochs: 5, testErrors: 90, validation } });
  expect(startOf({ path: "", checkpoint: validated })).toEqual({
    ...{ step: 4_690, evaluatedEpochs: 5, best: { epoch: 2, correct: 490 } },
  });
});

test("another engine is told once", () => {
  const about = engineWatch({ path: "", checkpoint: checkpointOf(5, { engine: "reference+wasm" }) });
  expect([about("wasm"), about("reference")]).toEqual([undefined, undefined]);
  expect(about("cuda")).toMatch(/^the run was trained with the reference\+wasm engine so far, and goes on with cuda: /);
  expect(about("cuda")).toBeUndefined();
});

test("a run is complete after all epochs, or once early stopping has ended it", () => {
  const after = (evaluatedEpochs: number, epochSamples = 0): boolean[] => {
    const validation = { samples: 500, errors: 12, best: { epoch: 3, errors: 10, testErrors: 99 } };
    const checkpoint = checkpointOf(evaluatedEpochs * 100 + epochSamples / 64, {
      ...{ epoch: evaluatedEpochs, config: { batchSize: 64 } },
      progress: { evaluatedEpochs, testErrors: 90, validation, epochSamples },
    });
    return [undefined, 3].map((patience) => {
      const config = configFrom("train", {
        epochs: 10,
        validation: 500,
        ...(patience === undefined ? {} : { patience }),
      });
      return isComplete(config, { path: "", checkpoint });
    });
  };
  expect(isComplete(configFrom("train", {}), undefined)).toBe(false);
  expect(after(5)).toEqual([false, false]);
  expect(after(6)).toEqual([false, true]);
  expect(after(10)).toEqual([true, true]);
  // Amid the epoch after, where it is given less patience than before.
  expect(after(6, 640)).toEqual([false, false]);
});
