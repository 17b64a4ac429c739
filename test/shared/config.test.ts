import { describe, expect, test } from "vitest";
import { DECISIVE_OPTIONS, publicConfig, type CommandName, type TrainConfig } from "../../src/shared/config.ts";
import { configFrom, environmentName, flagName, resolveConfig } from "../../src/shared/config-resolve.ts";
import { LockstepError } from "../../src/shared/errors.ts";

/** What `command` makes of one option written as `text` on the command line: its value, or the message. */
function read(command: CommandName, key: string, text: unknown): unknown {
  try {
    const config: Record<string, unknown> = resolveConfig(command, [
      { values: { checkpoint: command === "eval" ? "c" : undefined, [key]: text }, nameOf: flagName },
    ]);
    return config[key];
  } catch (error) {
    return (error as LockstepError).message;
  }
}

test("the defaults are the seed recipe", () => {
  expect(configFrom("train", {})).toEqual({
    recipe: "seed",
    ema: 0.998,
    epochs: 10,
    batchSize: 64,
    shardSize: 32,
    lr: 0.001,
    schedule: "constant",
    weightDecay: 0,
    labelSmoothing: 0,
    accumulate: 1,
    augment: false,
    validation: 0,
    seed: 1,
    resume: false,
    checkpointEvery: 0,
    keepCheckpoints: 3,
    logEvery: 400,
    metricsPort: 9464,
    metricsPortExplicit: false,
    metricsHost: "127.0.0.1",
    report: true,
    logFormat: "text",
    json: false,
    quiet: false,
    minWorkers: 1,
    joinTimeoutS: 600,
    workers: "auto",
    engine: "auto",
    deterministic: true,
    shareGpu: false,
    isolation: "auto",
  });
});

test("the other commands have their defaults", () => {
  expect(configFrom("coordinator", {}).listen).toBe("tcp://127.0.0.1:5555");
  expect(configFrom("worker", {})).toEqual({
    connect: "tcp://127.0.0.1:5555",
    coordinatorTimeoutS: 60,
    engine: "auto",
    deterministic: true,
    gpu: "auto",
    shareGpu: false,
    logFormat: "text",
    metricsHost: "127.0.0.1",
    quiet: false,
  });
  const compute = { engine: "auto", deterministic: true, gpu: "auto" };
  expect(configFrom("eval", { checkpoint: "a" })).toEqual({ checkpoint: "a", ...compute, json: false });
  expect(configFrom("doctor", {})).toEqual({ json: false });
  expect(configFrom("bench", {})).toEqual({
    ...{ quick: false, engines: ["wasm", "reference"], soakSteps: 4_000, json: false },
  });
});

test("a recipe sets defaults that options override", () => {
  expect(configFrom("train", { recipe: "fast" })).toMatchObject({
    schedule: "one-cycle",
    lr: 0.012,
    batchSize: 64,
    epochs: 1,
    labelSmoothing: 0.1,
  });
  expect(configFrom("train", { recipe: "best", batchSize: 64, augment: false })).toMatchObject({
    schedule: "one-cycle",
    lr: 0.006,
    epochs: 15,
    batchSize: 64,
    augment: false,
    shardSize: 32,
  });
});

describe("values", () => {
  const whole = (flag: string, text: unknown, min: number, max: number) =>
    `${flag} is ${JSON.stringify(text)}; allowed: a whole number from ${min} to ${max}`;
  const refusedEpochs = [
    "1e3",
    "0x10",
    " 5",
    "5 ",
    "5abc",
    "",
    "NaN",
    "Infinity",
    "1.5",
    "+5",
    "0",
    "10001",
    "-1",
    null,
  ];
  test.each(refusedEpochs)("epochs refuses %j", (text) => {
    expect(read("train", "epochs", text)).toBe(whole("--epochs", text, 1, 10_000));
  });
  test.each([
    ["epochs", "1", 1],
    ["epochs", "10000", 10_000],
    ["seed", "0", 0],
    ["seed", "9007199254740991", Number.MAX_SAFE_INTEGER],
    ["metricsPort", "0", 0],
    ["metricsPort", "65535", 65_535],
    ["joinTimeoutS", "0", 0],
    ["workers", "auto", "auto"],
    ["workers", "256", 256],
    ["lr", "1e-3", 0.001],
    ["lr", ".5", 0.5],
    ["lr", "10", 10],
    ["augment", "true", true],
    ["augment", "0", false],
    ["augment", true, true],
    ["resume", "true", true],
    ["checkpointEvery", "0", 0],
    ["keepCheckpoints", "1", 1],
    ["clipNorm", "1", 1],
    ["warmupEpochs", "0", 0],
    ["warmupEpochs", ".5", 0.5],
    ["weightDecay", "5e-2", 0.05],
    ["weightDecay", "1", 1],
    ["labelSmoothing", "0.1", 0.1],
    ["accumulate", "1", 1],
    ["validation", "0", 0],
    ["maxMinutes", "0.5", 0.5],
  ])("%s takes %j", (key, text, value) => {
    expect(read("train", key, text)).toBe(value);
  });
  test.each([
    ["seed", "9007199254740992", whole("--seed", "9007199254740992", 0, Number.MAX_SAFE_INTEGER)],
    ["seed", "-1", whole("--seed", "-1", 0, Number.MAX_SAFE_INTEGER)],
    ["metricsPort", "65536", whole("--metrics-port", "65536", 0, 65_535)],
    ["batchSize", "0", whole("--batch-size", "0", 1, 65_536)],
    ["workers", "two", '--workers is "two"; allowed: auto or a whole number from 1 to 256'],
    ["workers", "257", '--workers is "257"; allowed: auto or a whole number from 1 to 256'],
    ["lr", "0", '--lr is "0"; allowed: a number above 0 and at most 10, such as 0.001 or 1e-3'],
    ["lr", "1e999", '--lr is "1e999"; allowed: a number above 0 and at most 10, such as 0.001 or 1e-3'],
    ["lr", NaN, "--lr is NaN; allowed: a number above 0 and at most 10, such as 0.001 or 1e-3"],
    ["lr", "0x1", '--lr is "0x1"; allowed: a number above 0 and at most 10, such as 0.001 or 1e-3'],
    ["clipNorm", "0", '--clip-norm is "0"; allowed: a number above 0 and at most 1000000, such as 0.001 or 1e-3'],
    ["warmupEpochs", "-1", '--warmup-epochs is "-1"; allowed: a number from 0 to 10000, such as 0.05'],
    ["weightDecay", "1.1", '--weight-decay is "1.1"; allowed: a number from 0 to 1, such as 0.05'],
    ["weightDecay", "", '--weight-decay is ""; allowed: a number from 0 to 1, such as 0.05'],
    ["labelSmoothing", "1", '--label-smoothing is "1"; allowed: a number from 0 to below 1, such as 0.1'],
    ["accumulate", "0", whole("--accumulate", "0", 1, 65_536)],
    ["accumulate", "1.5", whole("--accumulate", "1.5", 1, 65_536)],
    ["validation", "-1", whole("--validation", "-1", 0, 1_000_000_000)],
    ["patience", "0", whole("--patience", "0", 1, 10_000)],
    ["keepCheckpoints", "0", whole("--keep-checkpoints", "0", 1, 1_000_000)],
    ["augment", "yes", '--augment is "yes"; allowed: true, false, 1 or 0'],
    ["schedule", "linear", '--schedule is "linear"; allowed: constant, cosine or one-cycle'],
    ["recipe", "slow", '--recipe is "slow"; allowed: seed, fast or best'],
    ["data", "", '--data is ""; allowed: a folder with the four MNIST IDX files'],
  ])("%s refuses %j", (key, text, message) => {
    expect(read("train", key, text)).toBe(message);
  });

  const suites = "engine, step, reduce, codec, exchange, training, time-to-accuracy or memory, or several of them";
  test.each([
    ["engine", ["engine"]],
    ["memory, engine,step", ["memory", "engine", "step"]],
    [["codec"], ["codec"]],
    ["engine,", `--only is "engine,"; allowed: ${suites} with commas between`],
    ["", `--only is ""; allowed: ${suites} with commas between`],
    [[], `--only is []; allowed: ${suites} with commas between`],
  ])("only reads %j", (text, value) => {
    expect(read("bench", "only", text)).toEqual(value);
  });

  test.each<[unknown, unknown]>([
    ["0", [0]],
    ["2, 0", [2, 0]],
    [1, [1]],
    [
      [0, 3],
      [0, 3],
    ],
    ["all", "all"],
    ["none", "none"],
  ])("gpus reads %j", (text, value) => {
    expect(read("train", "gpus", text)).toEqual(value);
  });
  test.each([["0,0"], [""], ["0,"], ["1-3"], ["auto"], ["GPU-1"], ["256"], [[]], [[0.5]]])(
    "gpus refuses %j",
    (text) => {
      expect(read("train", "gpus", text)).toBe(
        `--gpus is ${JSON.stringify(text)}; allowed: all, none or numbers of GPUs, from 0, with commas between, such as 0,2`,
      );
    },
  );
  test.each<[unknown, unknown]>([
    ["auto", "auto"],
    ["none", "none"],
    ["7", 7],
  ])("gpu reads %j", (text, value) => {
    expect(read("worker", "gpu", text)).toBe(value);
  });
  test.each(["all", "0,1", "-1", "256", ""])("gpu refuses %j", (text) => {
    expect(read("worker", "gpu", text)).toBe(`--gpu is "${text}"; allowed: auto, none or the number of a GPU, from 0`);
  });

  const listens = ["tcp://127.0.0.1:5555", "tcp://*:*", "tcp://0.0.0.0:1", "tcp://[::1]:65535", "ipc:///tmp/a.sock"];
  test.each(listens)("listen takes %s", (address) => {
    const values = { listen: address, insecure: true };
    expect(resolveConfig("coordinator", [{ values, nameOf: flagName }]).listen).toBe(address);
  });
  const refusedListens = [
    "",
    "5555",
    "tcp://host",
    "tcp://host:0",
    "tcp://host:65536",
    "udp://h:1",
    "ipc://",
    "ipc://" + "x".repeat(108),
  ];
  test.each(refusedListens)("listen refuses %j", (address) => {
    expect(read("coordinator", "listen", address)).toBe(
      `--listen is ${JSON.stringify(address)}; allowed: tcp://HOST:PORT, tcp://HOST:* for a free port, or ipc://PATH`,
    );
  });
  test.each(["tcp://*:5555", "tcp://host:*"])("connect refuses %s", (address) => {
    expect(read("worker", "connect", address)).toContain("allowed: tcp://HOST:PORT or ipc://PATH");
  });
});

test("what is missing, or wrong in several places, is listed line by line", () => {
  expect(() => configFrom("eval", {})).toThrow("--checkpoint is required; allowed: the path of a checkpoint");
  expect(() => configFrom("train", { epochs: 0, lr: 11 })).toThrow(/^epochs is 0; .*\nlr is 11; /);
});

test("options that only clash together are refused", () => {
  expect(configFrom("train", { batchSize: 65_536, shardSize: 32 }).batchSize).toBe(65_536);
  expect(() => configFrom("train", { batchSize: 65_536, shardSize: 31 })).toThrow(
    "batchSize 65536 in shards of shardSize 31 makes 2115 shards a step; allowed: at most 2048",
  );
  const accumulated = { batchSize: 64, accumulate: 1_024 };
  expect(configFrom("train", accumulated).accumulate).toBe(1_024);
  expect(() => configFrom("train", { ...accumulated, shardSize: 31 })).toThrow(
    "batchSize 64 taken accumulate 1024 times in shards of shardSize 31 makes 2115 shards a step; allowed: at most 2048",
  );
  expect(() => configFrom("train", { batchSize: 65, accumulate: 1_024 })).toThrow(
    "batchSize 65 taken accumulate 1024 times makes 66560 samples a step; allowed: at most 65536",
  );
  expect(configFrom("train", { patience: 1, validation: 100 }).patience).toBe(1);
  expect(() => configFrom("train", { patience: 1 })).toThrow("patience needs --validation images, whose errors tell");
  expect(configFrom("train", { warmupEpochs: 2.5, epochs: 3 }).warmupEpochs).toBe(2.5);
  expect(configFrom("train", { warmupEpochs: 3, epochs: 3 }).warmupEpochs).toBe(3);
  expect(() => configFrom("train", { warmupEpochs: 3.5, epochs: 3 })).toThrow(
    "warmupEpochs 3.5 is more than the run's epochs 3, so that the learning rate would never reach its peak; " +
      "allowed: at most as many",
  );
  expect(configFrom("train", { weightDecay: 0.1, lr: 10 }).weightDecay).toBe(0.1);
  expect(() => configFrom("train", { weightDecay: 0.5, lr: 4 })).toThrow(
    "weightDecay 0.5 with lr 4 takes more than all of a weight in a step; allowed: at most 0.25",
  );
  expect(() => configFrom("train", { workers: 2, minWorkers: 3 })).toThrow(
    "minWorkers 3 can never be reached with workers 2; allowed: at most 2",
  );
});

test("mistakes are usage errors", () => {
  try {
    configFrom("train", { epochs: 0 });
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(LockstepError);
    expect(error).toMatchObject({ code: "usage", exitCode: 2 });
  }
});

test("names follow from the key", () => {
  expect(flagName("joinTimeoutS")).toBe("--join-timeout-s");
  expect(environmentName("joinTimeoutS")).toBe("LOCKSTEP_JOIN_TIMEOUT_S");
});

test("what decides the weights are all options of training but the recipe, and how much of the data is used", () => {
  expect(DECISIVE_OPTIONS.toSorted()).toEqual(
    [
      ...["accumulate", "augment", "batchSize", "clipNorm", "ema", "epochs", "labelSmoothing", "limitTrain", "lr"],
      ...["patience", "schedule", "seed", "shardSize", "validation", "warmupEpochs", "weightDecay"],
    ].toSorted(),
  );
});

describe("publicConfig", () => {
  test("gives back the same configuration when it is read again", () => {
    const some: Partial<TrainConfig>[] = [{}, { metricsPort: 9464 }, { recipe: "best", data: "d", workers: 3 }];
    for (const options of [...some, { gpus: [0, 2], shareGpu: true }]) {
      const config = configFrom("train", options);
      const written: unknown = JSON.parse(JSON.stringify(publicConfig(config)));
      expect(written).not.toHaveProperty("metricsPortExplicit");
      expect(written).not.toHaveProperty("resume");
      expect(configFrom("train", written as object)).toEqual(config);
    }
  });
});
