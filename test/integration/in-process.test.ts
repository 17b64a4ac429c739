import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
// The built package: its threads are those that a program would get.
import { train } from "lockstep";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import { type Dataset, loadDataset } from "../../src/shared/data/dataset.ts";
import type { TrainingEvent } from "../../src/shared/events.ts";
import { decodeFromWorker } from "../../src/shared/protocol/codec.ts";
import { STATE_COUNT } from "../../src/shared/model/lenet5.ts";
import { type Fate, MemoryNetwork, type Passage } from "../../src/shared/transport/memory.ts";
import { connectThread, ThreadNetwork } from "../../src/shared/transport/threads.ts";
import { VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { connectZmq } from "../../src/shared/transport/zmq-connection.ts";
import { listenZmq } from "../../src/shared/transport/zmq-listener.ts";
import type { Engine } from "../../src/worker/engines/engine.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { engineWith } from "../support/engine-with.ts";
import { Fleet, type FleetOptions, type FleetRun } from "../support/fleet.ts";
import { uniformFrom } from "../support/floats.ts";

/** A slice of the real data: two epochs' worth of surprises in about a second. */
const TEST_IMAGES = 600;

let dataset: Dataset;
const folder = mkdtempSync(join(tmpdir(), "lockstep-fleet-"));

beforeAll(async () => {
  const mnist = await loadDataset();
  const { pixels, labels } = mnist.test;
  const test = {
    count: TEST_IMAGES,
    pixels: pixels.subarray(0, TEST_IMAGES * 784),
    labels: labels.subarray(0, TEST_IMAGES),
  };
  dataset = { ...mnist, test };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Batches of 100 in shards of 32 end in a short shard; 1,230 images end in a short batch. */
const RAGGED = { epochs: 1, batchSize: 100, shardSize: 32, limitTrain: 1_230 };
/** Distorted images and a moving learning rate: what depends on the epoch and the step. */
const DISTORTED = { ...RAGGED, epochs: 2, augment: true, schedule: "one-cycle", lr: 0.004 } as const;
/** What moves and shrinks the weights differently in each step; the batches are the ragged ones, in halves. */
const HALVES = { ...RAGGED, batchSize: 50, accumulate: 2 };
const DECAYED = { ...HALVES, epochs: 3, schedule: "cosine", warmupEpochs: 0.5, weightDecay: 0.05 } as const;
const EVEN = { epochs: 1, batchSize: 256, shardSize: 32, limitTrain: 2_000 };

type Options = Partial<Omit<FleetOptions, "dataset" | "coordinator" | "connect">>;

function overMemory(options: Options, fate?: (passage: Passage) => Fate): Promise<FleetRun> {
  const network = new MemoryNetwork(fate);
  const transports = { coordinator: network.listen(), connect: () => network.connect() };
  return new Fleet({ config: RAGGED, workers: 2, dataset, ...transports, ...options }).run();
}

async function overZmq(address: string, options: Options): Promise<FleetRun> {
  const coordinator = await listenZmq(address);
  const transports = { coordinator, connect: () => connectZmq(coordinator.address) };
  return new Fleet({ config: RAGGED, workers: 2, dataset, ...transports, ...options }).run();
}

/** What two threads would say to each other, within one. */
function overThreads(options: Options): Promise<FleetRun> {
  const network = new ThreadNetwork();
  const transports = { coordinator: network.listen(), connect: () => connectThread(network.open().end) };
  return new Fleet({ config: RAGGED, workers: 2, dataset, ...transports, ...options }).run();
}

/** Does something once, after the given number of steps. */
function afterStep(step: number, act: (fleet: Fleet) => void): NonNullable<FleetOptions["onEvent"]> {
  return (event, fleet) => {
    if (event.type === "step" && event.step === step) act(fleet);
  };
}

const countOf = (events: readonly TrainingEvent[], type: TrainingEvent["type"]): number =>
  events.filter((event) => event.type === type).length;

/** All numbers of a result that must not depend on the fleet. */
function essence({ result, events }: FleetRun) {
  const { weightsSha256, testErrors, trainLoss, steps, samples } = result;
  const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
  return { weightsSha256, testErrors, trainLoss, steps, samples, losses };
}

describe.each([
  ["ragged batches", RAGGED, 13],
  ["even batches", EVEN, 8],
  ["distorted images and one-cycle", DISTORTED, 26],
  ["weight decay, a warm-up and accumulated batches", DECAYED, 39],
])("%s", (_, config, steps) => {
  let alone: ReturnType<typeof essence>;
  beforeAll(async () => {
    alone = essence(await overMemory({ config, workers: 1 }));
  });

  test("one worker trains to the end, and learns something", () => {
    expect(alone).toMatchObject({ steps, samples: config.epochs * config.limitTrain });
    expect(alone.losses.at(-1)).toBeLessThan(alone.losses[0]! * 0.9);
    expect(alone.testErrors).toBeLessThan(TEST_IMAGES * 0.8);
  });

  test.each([1, 2, 3, 4, 8])("%i workers come to the same bits", async (workers) => {
    expect(essence(await overMemory({ config, workers }))).toEqual(alone);
  });

  test("and so they do over ZeroMQ, tcp and ipc", async () => {
    expect(essence(await overZmq("tcp://127.0.0.1:*", { config, workers: 3 }))).toEqual(alone);
    expect(essence(await overZmq(`ipc://${join(folder, `fleet-${steps}`)}`, { config, workers: 2 }))).toEqual(alone);
  });

  test("and so they do over the transport between threads", async () => {
    expect(essence(await overThreads({ config, workers: 3 }))).toEqual(alone);
  });

  test.each(["thread", "process"] as const)("and so does a %s of its own for each", async (isolation) => {
    const runDir = join(folder, `run-${steps}-${isolation}`);
    const run = await train({ ...config, workers: 3, isolation, metricsPort: 0, runDir });
    const losses: number[] = [];
    for await (const event of run) if (event.type === "step") losses.push(event.loss);
    // Its test set is the whole one.
    const { testErrors: _, ...expected } = alone;
    expect({ ...(await run.result), losses }).toMatchObject(expected);
  });

  test("another seed comes to others", async () => {
    const other = essence(await overMemory({ config: { ...config, seed: 2 } }));
    expect(other.weightsSha256).not.toBe(alone.weightsSha256);
    expect(other.steps).toBe(steps);
  });
});

test("batches that are accumulated come to the bits of one so many times as large", async () => {
  const [whole, quarters] = await Promise.all([
    overMemory({ config: RAGGED }),
    overMemory({ config: { ...RAGGED, batchSize: 25, accumulate: 4 } }),
  ]);
  expect(essence(quarters)).toEqual(essence(whole));
});

test("weight decay and a warm-up each change the weights", async () => {
  const runs = [{}, { weightDecay: 0.05 }, { warmupEpochs: 0.5 }].map((options) =>
    overMemory({ config: { ...RAGGED, ...options } }),
  );
  const hashes = (await Promise.all(runs)).map(({ result }) => result.weightsSha256);
  expect(new Set(hashes).size).toBe(hashes.length);
});

describe("whatever happens to the fleet, the bits are the same", () => {
  let expected: ReturnType<typeof essence>;
  beforeAll(async () => {
    expected = essence(await overMemory({ workers: 1 }));
  });

  test.each([1, 2, 3])("messages come late and twice (%i)", async (seed) => {
    const uniform = uniformFrom(seed);
    const fate = (): Fate => ({
      copies: uniform() < 0.2 ? 2 : 1,
      delay: uniform() < 0.2 ? Math.floor(uniform() * 6) : 0,
    });
    expect(essence(await overMemory({ workers: 3 }, fate))).toEqual(expected);
  });

  test("results of the dense layers are overtaken by those of the convolutions", async () => {
    const fate = ({ direction, frames }: Passage): Fate => {
      const header = direction === "to-coordinator" && frames.length > 1 ? decodeFromWorker(frames).header : undefined;
      return { copies: 1, delay: header?.type === "result" && header.slice === "dense" ? 3 : 0 };
    };
    expect(essence(await overMemory({ workers: 2 }, fate))).toEqual(expected);
  });

  test.each([
    ["memory", overMemory],
    ["ZeroMQ", (options: Options) => overZmq("tcp://127.0.0.1:*", options)],
    ["threads", overThreads],
  ] as const)("a worker crashes in the middle of a step, over %s", async (_, over) => {
    const run = await over({ workers: 3, onEvent: afterStep(4, (fleet) => void fleet.crashFirst()) });
    expect(essence(run)).toEqual(expected);
    expect(run.result).toMatchObject({ workers: 3, workersLost: 1 });
  });

  test("a worker leaves, another joins late", async () => {
    const run = await overMemory({
      onEvent: (event, fleet) => {
        afterStep(3, () => fleet.leaveFirst())(event, fleet);
        afterStep(6, () => void fleet.join())(event, fleet);
      },
    });
    expect(essence(run)).toEqual(expected);
    expect(run.result.workersLost).toBe(0);
    expect(countOf(run.events, "worker-joined")).toBe(3);
    expect(countOf(run.events, "worker-left")).toBe(1);
  });

  test("all workers go, and the run waits for the next", async () => {
    const run = await overMemory({
      workers: 1,
      onEvent: afterStep(5, (fleet) => void fleet.crashFirst().then(() => fleet.join())),
    });
    expect(essence(run)).toEqual(expected);
    expect(run.result.workersLost).toBe(1);
  });
});

test("shared memory is used again: a long run needs no more of it than a short one", async () => {
  const allocate = vi.spyOn(VectorMemory.prototype, "allocate");
  onTestFinished(() => allocate.mockRestore());
  const needed = async (epochs: number): Promise<number> => {
    allocate.mockClear();
    const { result } = await overThreads({ config: { ...RAGGED, epochs } });
    expect(result.steps).toBe(13 * epochs);
    return allocate.mock.calls.length;
  };
  const short = await needed(1);
  expect(short).toBeGreaterThan(0);
  // Timing alone decides how many are under way at once; each step sends more than five.
  expect(await needed(6)).toBeLessThan(short + 20);
});

describe("the end of a run", () => {
  test("is told to the workers, checkpointed, and reported", async () => {
    const { result, events, checkpoints, ends } = await overMemory({});
    expect(ends).toEqual([0, 1].map(() => ({ code: 0, text: "the run is done", isRunEnd: true })));
    expect(checkpoints).toHaveLength(1);
    expect(checkpoints[0]!.state.length).toBe(STATE_COUNT);
    expect(stateSha256(checkpoints[0]!.state)).toBe(result.weightsSha256);
    expect(result).toMatchObject({ epochs: 1, engine: "wasm", checkpoint: "checkpoint 13", runDir: "runs/test" });
    expect(countOf(events, "rejected")).toBe(0);
    expect(countOf(events, "warning")).toBe(0);
    expect(events.map(({ type }) => type).filter((type) => type !== "step")).toEqual([
      ...["listening", "worker-joined", "started", "worker-joined", "epoch", "finished"],
    ]);
  });

  test("by an interrupt keeps what was done", async () => {
    const { result, checkpoints } = await overMemory({ onEvent: afterStep(5, (fleet) => fleet.interrupt("SIGINT")) });
    expect(result).toMatchObject({ interruptedBy: "SIGINT", testAccuracy: null, epochs: 0 });
    expect(result.steps).toBeGreaterThanOrEqual(5);
    expect(checkpoints.map(({ step }) => step)).toEqual([result.steps]);
  });
});

describe("numbers that are not finite", () => {
  /** Spoils the gradients for which `bad` says so. */
  async function spoilt(bad: () => boolean): Promise<Engine> {
    const engine = await createEngine("wasm");
    return engineWith(engine, async (shard, denseFinal) => {
      if (!bad()) return engine.gradients(shard, denseFinal);
      const result = await engine.gradients(shard);
      return { ...result, gradient: result.gradient.map(() => NaN) };
    });
  }

  test.each([1, 2])("once are computed again, with %i workers, and leave no trace in the weights", async (workers) => {
    let shards = 0;
    const run = await overMemory({ workers, engine: () => spoilt(() => (shards += 1) === 20) });
    expect(essence(run)).toEqual(essence(await overMemory({})));
    expect(countOf(run.events, "warning")).toBeGreaterThan(0);
  });

  test("again and again end the run as diverged", async () => {
    let shards = 0;
    const run = overMemory({ engine: () => spoilt(() => (shards += 1) > 20) });
    await expect(run).rejects.toMatchObject({ code: "diverged", message: expect.stringContaining("--lr") as string });
  });
});
