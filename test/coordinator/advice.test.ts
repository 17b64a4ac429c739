import { describe, expect, test } from "vitest";
import { type Measured, type Setting, settingOf, summarise } from "../../src/coordinator/advice.ts";
import { configFrom, flagName, resolveConfig } from "../../src/shared/config-resolve.ts";
import type { Efficiency, Limit } from "../../src/shared/events.ts";

const FLEET: Setting = {
  ...{ batchSize: 64, accumulate: 1, shardSize: 32, augment: false, minWorkers: 1, trainSamples: 60_000 },
  local: undefined,
};
const HERE: Setting = { ...FLEET, local: { cores: 4, inProcesses: false, automatic: false } };
const TWO: Measured = { workers: 2, workDone: 1.4, shards: 2, straggler: undefined };

/** Of the workers' time, this share is work, and the rest went to the exchange. */
function sharesOf(work: number, inputs = 0): Efficiency["shares"] {
  return { computing: work - inputs, inputs, exchange: 1 - work, coordinator: 0, imbalance: 0, idle: 0 };
}

const say = (limit: Limit, setting: Setting, measured: Partial<Measured> = {}, shares = sharesOf(0.7)): string =>
  summarise(limit, shares, { ...TWO, ...measured }, setting);

describe("the sentence", () => {
  test.each<[string, Limit, Setting, Partial<Measured>, Efficiency["shares"]?]>([
    ["Limited by computing: 2 workers do the work of 1.9", "computing", HERE, { workDone: 1.93 }],
    [
      "Limited by computing: 1 worker does the work of 0.9; try --workers 2",
      "computing",
      HERE,
      { workers: 1, workDone: 0.9 },
    ],
    ["Limited by computing: 1 worker does the work of 0.9", "computing", FLEET, { workers: 1, workDone: 0.9 }],
    [
      "Limited by computing: 1 worker does the work of 0.9",
      "computing",
      { ...HERE, local: { cores: 4, inProcesses: false, automatic: true } },
      { workers: 1, workDone: 0.9 },
    ],
    ["Limited by the exchange: 2 workers do the work of 1.4; try --batch-size 128", "exchange", HERE, {}],
    ["Limited by the exchange: 2 workers do the work of 1.4; try --batch-size 128", "exchange", FLEET, {}],
    [
      "Limited by the exchange: 2 workers do the work of 0.8; try --batch-size 512 or --workers 1",
      ...(["exchange", HERE, { workDone: 0.8 }, sharesOf(0.4)] as const),
    ],
    [
      "Limited by the exchange: 2 workers do the work of 1.4; try --isolation thread or --batch-size 128",
      ...(["exchange", { ...HERE, local: { cores: 4, inProcesses: true, automatic: false } }, {}] as const),
    ],
    [
      "Limited by the coordinator: 8 workers do the work of 3.2; try --batch-size 512 or --workers 4",
      ...(["coordinator", HERE, { workers: 8, workDone: 3.2 }, sharesOf(0.4)] as const),
    ],
    [
      "Limited by workers that wait for each other: 2 workers do the work of 1.4; try --batch-size 128",
      "imbalance",
      HERE,
      {},
    ],
    [
      "Limited by a straggler, w7, which takes 1.7 times as long as the others for a shard: 2 workers do the work of 1.4",
      ...(["straggler", FLEET, { straggler: { name: "w7", times: 1.7 } }] as const),
    ],
    [
      "Limited by the number of shards, 3 a step: 2 workers do the work of 1.4; try --batch-size 128",
      ...(["shards", { ...HERE, batchSize: 96 }, { shards: 2.99 }] as const),
    ],
    [
      "Limited by the number of shards, 2 a step: 3 workers do the work of 1.8; try --batch-size 96 or --workers 2",
      ...(["shards", HERE, { workers: 3, workDone: 1.8 }] as const),
    ],
    [
      // 6 batches of 32 make 6 shards, 2 for each worker.
      "Limited by the number of shards, 4 a step: 3 workers do the work of 2.5; try --batch-size 32",
      ...(["shards", { ...HERE, batchSize: 20, accumulate: 6 }, { workers: 3, workDone: 2.5, shards: 4 }] as const),
    ],
    [
      "Limited by making inputs, 43 % of the work: 2 workers do the work of 1.4; try --workers 4 or --no-augment",
      ...(["inputs", { ...HERE, augment: true }, { shards: 4 }, sharesOf(0.7, 0.3)] as const),
    ],
    [
      "Limited by making inputs, 43 % of the work: 2 workers do the work of 1.4",
      ...(["inputs", FLEET, {}, sharesOf(0.7, 0.3)] as const),
    ],
    [
      "Limited by the exchange: 2.5 workers do the work of 1.4; try --batch-size 128",
      "exchange",
      FLEET,
      { workers: 2.5 },
    ],
  ])("%s", (sentence, limit, setting, measured, shares) => {
    expect(say(limit, setting, measured, shares)).toBe(sentence);
  });
});

describe("a larger batch", () => {
  test.each([
    [0.79, 128],
    [0.6, 256],
    [0.4, 512],
    [0.05, 512],
  ])("for work that is %d of the time is %i", (work, batch) => {
    expect(say("exchange", FLEET, {}, sharesOf(work))).toMatch(new RegExp(`; try --batch-size ${batch}$`));
  });

  test.each([
    ["leaves an epoch a hundred steps", { trainSamples: 12_799 }],
    ["stays within what a message can name", { batchSize: 65_536, trainSamples: 10 ** 9 }],
    ["counts what is accumulated", { accumulate: 1_024, trainSamples: 10 ** 9 }],
    ["stays within the shards that a step can have", { batchSize: 2_048, shardSize: 1, trainSamples: 10 ** 9 }],
  ])("%s, or there is none", (_, changes) => {
    expect(say("exchange", { ...FLEET, ...changes })).not.toContain("--batch-size");
  });
});

describe("advice over everything that can be measured", () => {
  const LIMITS: Limit[] = ["computing", "inputs", "exchange", "coordinator", "straggler", "shards", "imbalance"];
  const cases: { sentence: string; workers: number; setting: Setting }[] = [];
  for (const limit of LIMITS) {
    for (const workers of [1, 2, 3, 8]) {
      for (const done of [0.1, 0.5, 0.95]) {
        for (const setting of [FLEET, HERE, { ...HERE, minWorkers: workers }, { ...HERE, augment: true }]) {
          const straggler = { name: "w1", times: 2 };
          const measured = { workers, workDone: workers * done, shards: 4, straggler };
          cases.push({ sentence: say(limit, setting, measured, sharesOf(done, done / 2)), workers, setting });
        }
      }
    }
  }

  test("names options that `lockstep train` takes", () => {
    for (const { sentence } of cases) {
      for (const [, flag, value] of sentence.matchAll(/(--[a-z-]+)(?: (\w+))?/g)) {
        const [key, text] = flag === "--no-augment" ? ["augment", "false"] : [keyOf(flag!), value];
        resolveConfig("train", [{ values: { [key]: text }, nameOf: flagName }]);
      }
    }
  });

  test("never advises what there is already, or what another option forbids", () => {
    for (const { sentence, workers, setting } of cases) {
      const advised = /--workers (\d+)/.exec(sentence)?.[1];
      if (advised === undefined) continue;
      expect(setting.local).toBeDefined();
      expect(Number(advised)).not.toBe(workers);
      expect(Number(advised)).toBeGreaterThanOrEqual(setting.minWorkers);
    }
  });

  test("never advises a number of workers where the run finds it out by itself", () => {
    const setting = { ...HERE, local: { cores: 4, inProcesses: false, automatic: true } };
    for (const limit of LIMITS) {
      for (const workers of [1, 2, 8]) {
        const measured = { workers, workDone: workers * 0.3, shards: 8 };
        expect(say(limit, setting, measured)).not.toContain("--workers");
      }
    }
  });

  test("never advises distortion off where it is off", () => {
    for (const { sentence, setting } of cases) if (!setting.augment) expect(sentence).not.toContain("--no-augment");
  });
});

test("a run that starts its own workers is known by its configuration", () => {
  const train = configFrom("train", { isolation: "process", batchSize: 128, accumulate: 2, minWorkers: 2 });
  expect(settingOf(train, 6_000, 8)).toEqual({
    ...{ batchSize: 128, accumulate: 2, shardSize: 32, augment: false, minWorkers: 2, trainSamples: 6_000 },
    local: { cores: 8, inProcesses: true, automatic: true },
  });
  expect(settingOf(configFrom("train", { workers: 2 }), 6_000, 8).local).toMatchObject({ automatic: false });
  expect(settingOf(configFrom("coordinator", {}), 6_000, 8).local).toBeUndefined();
});

function keyOf(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
