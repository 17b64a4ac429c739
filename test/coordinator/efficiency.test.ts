import { describe, expect, test } from "vitest";
import type { Setting } from "../../src/coordinator/advice.ts";
import { EfficiencyMeter } from "../../src/coordinator/efficiency.ts";
import type { CoordinatorPhases, Efficiency, TrainingEvent, WorkerPhases } from "../../src/shared/events.ts";
import { step, workerPhases } from "./training-events.ts";

const SETTING: Setting = {
  ...{ batchSize: 64, accumulate: 1, shardSize: 32, augment: false, minWorkers: 1, trainSamples: 60_000 },
  local: { cores: 2, inProcesses: false, automatic: false },
};
const FREE: CoordinatorPhases = { decideMs: 0, reduceMs: 0, adamMs: 0, sendMs: 0, tailMs: 0 };

/** Alike steps of 10 ms. */
interface Alike {
  readonly workers: readonly Partial<WorkerPhases>[];
  readonly coordinator?: Partial<CoordinatorPhases>;
  readonly ready?: number;
}

function stepOf(number: number, { workers, coordinator, ready = workers.length }: Alike, stepMs = 10) {
  const phases = {
    workers: workers.map((worker, i) =>
      workerPhases({ worker: `worker-${i + 1}`, gatherMs: 0, computeMs: 0, ...worker }),
    ),
    coordinator: { ...FREE, ...coordinator },
  };
  return step({ step: number, stepMs, workers: ready, phases }) as Extract<TrainingEvent, { type: "step" }>;
}

function measure(alike: Alike, setting = SETTING): Efficiency {
  const meter = new EfficiencyMeter();
  for (let number = 1; number <= 150; number++) meter.record(stepOf(number, alike));
  const measured = meter.measure(setting);
  if (measured === null) throw new Error("too few steps");
  return measured;
}

/** What two workers' time went to, in ms of the 20 that a step has for them. */
describe.each<[Efficiency["limitedBy"], string, Alike, Partial<Efficiency["shares"]>]>([
  ["computing", "8 of 10", { workers: [{ computeMs: 8 }, { computeMs: 8 }] }, { computing: 0.8, exchange: 0.2 }],
  [
    "exchange",
    "less than that",
    { workers: [{ computeMs: 7.9 }, { computeMs: 7.9 }] },
    { computing: 0.79, exchange: 0.21 },
  ],
  [
    "inputs",
    "gathering above all",
    {
      workers: [
        { computeMs: 5, gatherMs: 3 },
        { computeMs: 5, gatherMs: 3 },
      ],
    },
    { inputs: 0.3, exchange: 0.2 },
  ],
  [
    "exchange",
    "gathering less than the way",
    {
      workers: [
        { computeMs: 5, gatherMs: 2 },
        { computeMs: 5, gatherMs: 2 },
      ],
    },
    { inputs: 0.2, exchange: 0.3 },
  ],
  [
    "coordinator",
    "a long tail",
    { workers: [{ computeMs: 6 }, { computeMs: 6 }], coordinator: { adamMs: 3, tailMs: 3 } },
    { coordinator: 0.3, exchange: 0.1 },
  ],
  [
    "coordinator",
    "busy, so that messages wait for it",
    { workers: [{ computeMs: 6 }, { computeMs: 6 }], coordinator: { reduceMs: 4, sendMs: 3, tailMs: 1 } },
    { coordinator: 0.1, exchange: 0.3 },
  ],
  [
    "exchange",
    "a coordinator that is less busy",
    { workers: [{ computeMs: 6 }, { computeMs: 6 }], coordinator: { reduceMs: 4, sendMs: 2.9, tailMs: 1 } },
    { coordinator: 0.1, exchange: 0.3 },
  ],
  [
    "straggler",
    "one takes twice as long for a shard",
    { workers: [{ computeMs: 9 }, { computeMs: 4.5 }] },
    { computing: 0.675, imbalance: 0.225, exchange: 0.1 },
  ],
  [
    "imbalance",
    "one takes somewhat longer",
    { workers: [{ computeMs: 9 }, { computeMs: 6.2 }] },
    { imbalance: 0.14, exchange: 0.1 },
  ],
  [
    "shards",
    "one has twice as many shards",
    {
      workers: [
        { shards: 2, computeMs: 9 },
        { shards: 1, computeMs: 4.5 },
      ],
    },
    { imbalance: 0.225, exchange: 0.1 },
  ],
  ["shards", "one has none", { workers: [{ computeMs: 9 }], ready: 2 }, { computing: 0.45, idle: 0.5, exchange: 0.05 }],
  ["exchange", "alone", { workers: [{ computeMs: 5 }] }, { computing: 0.5, exchange: 0.5 }],
])("limited by %s: %s", (limit, _, alike, shares) => {
  const measured = measure(alike);

  test("is found", () => expect(measured.limitedBy).toBe(limit));

  test("from shares that make a whole", () => {
    expect(measured.shares).toMatchObject(shares);
    const whole = Object.values(measured.shares).reduce((sum, share) => sum + share, 0);
    expect(whole).toBeCloseTo(1, 2);
    expect(Object.values(measured.shares).every((share) => share >= 0)).toBe(true);
  });
});

test("says how many workers' work was done, and what to try", () => {
  expect(
    measure({
      workers: [
        { computeMs: 6.5, gatherMs: 0.5 },
        { computeMs: 6.5, gatherMs: 0.5 },
      ],
    }),
  ).toEqual({
    limitedBy: "exchange",
    summary: "Limited by the exchange: 2 workers do the work of 1.4; try --batch-size 128",
    steps: 100,
    workers: 2,
    workDone: 1.4,
    shares: { computing: 0.65, inputs: 0.05, exchange: 0.3, coordinator: 0, imbalance: 0, idle: 0 },
  });
});

test("names the straggler and how slow it is", () => {
  const { summary } = measure({ workers: [{ computeMs: 3 }, { computeMs: 9 }, { computeMs: 3 }, { computeMs: 3 }] });
  expect(summary).toBe(
    "Limited by a straggler, worker-2, which takes 3.0 times as long as the others for a shard: " +
      "4 workers do the work of 1.8; try --workers 2",
  );
});

test("a worker that was there for a moment is no straggler", () => {
  const meter = new EfficiencyMeter();
  const usual = [{ computeMs: 4.5 }, { computeMs: 9 }, { computeMs: 9 }];
  for (let number = 1; number <= 149; number++) {
    meter.record(stepOf(number, { workers: number === 60 ? [...usual, { computeMs: 500 }] : usual }));
  }
  expect(meter.measure(SETTING)?.summary).not.toContain("worker-4");
});

test("workers that stand by on purpose are not idle", () => {
  const meter = new EfficiencyMeter(1);
  for (let number = 51; number <= 150; number++)
    meter.record(stepOf(number, { workers: [{ computeMs: 9 }], ready: 2 }));
  expect(meter.measure(SETTING)).toMatchObject({
    limitedBy: "computing",
    workers: 1,
    workDone: 0.9,
    shares: { idle: 0 },
  });
});

test("the first steps do not count, and few steps tell nothing", () => {
  const meter = new EfficiencyMeter();
  for (let number = 1; number <= 50; number++) meter.record(stepOf(number, { workers: [{ computeMs: 1 }] }, 1_000));
  for (let number = 51; number < 100; number++) meter.record(stepOf(number, { workers: [{ computeMs: 9 }] }));
  expect(meter.measure(SETTING)).toBeNull();
  meter.record(stepOf(100, { workers: [{ computeMs: 9 }] }));
  expect(meter.measure(SETTING)).toMatchObject({ steps: 50, workDone: 0.9, limitedBy: "computing" });
});

test("time that is counted twice never makes more than all there was", () => {
  // Inputs made ahead, while the coordinator finishes the step before.
  const { shares, workDone } = measure({ workers: [{ computeMs: 8, gatherMs: 3 }], coordinator: { tailMs: 1 } });
  expect(shares.exchange).toBe(0);
  expect(workDone).toBeLessThanOrEqual(1);
});

test("workers that come and go are counted as they were there", () => {
  const meter = new EfficiencyMeter();
  for (let number = 51; number <= 150; number++) {
    const workers = number <= 100 ? [{ computeMs: 9 }] : [{ computeMs: 9 }, { computeMs: 9 }];
    meter.record(stepOf(number, { workers }));
  }
  expect(meter.measure(SETTING)).toMatchObject({ workers: 1.5, workDone: 1.35, limitedBy: "computing" });
});
