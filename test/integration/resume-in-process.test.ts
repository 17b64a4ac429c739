import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CheckpointStore, findCheckpoint } from "../../src/coordinator/checkpoint-store.ts";
import type { Resumption } from "../../src/coordinator/resumption.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "../../src/shared/checkpoint.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { messageOf } from "../../src/shared/errors.ts";
import { type Dataset, loadDataset } from "../../src/shared/data/dataset.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import { ThreadNetwork, connectThread } from "../../src/shared/transport/threads.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { engineWith } from "../support/engine-with.ts";
import { Fleet, type FleetRun } from "../support/fleet.ts";

/** A run that goes on from any of its checkpoints comes to the bits of one that never stopped. */

const TEST_IMAGES = 600;
let dataset: Dataset;

beforeAll(async () => {
  const mnist = await loadDataset();
  const pixels = mnist.test.pixels.subarray(0, TEST_IMAGES * 784);
  const labels = mnist.test.labels.subarray(0, TEST_IMAGES);
  dataset = { ...mnist, test: { count: TEST_IMAGES, pixels, labels } };
});

/** 13 steps an epoch; distorted images, a moving learning rate and clipping: all that depends on where a run is. */
const CONFIG = {
  ...{ epochs: 3, batchSize: 100, shardSize: 32, limitTrain: 1_230, checkpointEvery: 1 },
  ...{ augment: true, schedule: "one-cycle", lr: 0.004, clipNorm: 0.5 },
} as const satisfies Partial<TrainConfig>;
const STEPS = 39;

function run(workers: number, config: Partial<TrainConfig>, resumption?: Resumption): Promise<FleetRun> {
  const network = new MemoryNetwork();
  const transports = { coordinator: network.listen(), connect: () => network.connect() };
  return new Fleet({ config, workers, dataset, ...transports, ...(resumption && { resumption }) }).run();
}

function runThreads(workers: number, config: Partial<TrainConfig>, resumption: Resumption): Promise<FleetRun> {
  const network = new ThreadNetwork();
  const transports = { coordinator: network.listen(), connect: () => connectThread(network.open().end) };
  return new Fleet({ config, workers, dataset, ...transports, resumption }).run();
}

/** As it comes back from disk. */
function from(checkpoint: Checkpoint | undefined): Resumption {
  if (checkpoint === undefined) return expect.fail("there is no such checkpoint");
  return { path: "the checkpoint", checkpoint: decodeCheckpoint(encodeCheckpoint(checkpoint), "the checkpoint") };
}

/** What must not depend on where a run was stopped. */
function essence({ result, checkpoints }: FleetRun) {
  const { weightsSha256, testErrors, testAccuracy, trainLoss, epochs, steps, samples } = result;
  const last = checkpoints.at(-1);
  const { progress, engine, adamM, adamV, latest } = last ?? {};
  return {
    ...{ weightsSha256, testErrors, testAccuracy, trainLoss, epochs, steps, samples },
    ...{ progress, engine, adamM, adamV, latest },
    ...{ lost: result.samplesLost, repeated: result.samplesRepeated },
  };
}

describe("a run", () => {
  let undisturbed: FleetRun;
  const checkpointAt = (step: number) => undisturbed.checkpoints.find((each) => each.step === step);
  beforeAll(async () => {
    undisturbed = await run(2, CONFIG);
  });

  test("saves its state after every step, and after an epoch's last one only once it is evaluated", () => {
    const { checkpoints, result } = undisturbed;
    expect(checkpoints.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    const evaluated = checkpoints.map(({ progress }) => progress.evaluatedEpochs);
    expect([evaluated[11], evaluated[12], evaluated[25], evaluated[38]]).toEqual([0, 1, 2, 3]);
    expect(result).toMatchObject({
      resumedFrom: null,
      samplesLost: 0,
      samplesRepeated: 0,
      checkpoint: "checkpoint 39",
    });
  });

  test.each([
    [1, 1],
    [7, 3],
    [12, 2],
    [13, 1],
    [14, 2],
    [26, 3],
    [38, 1],
  ])("goes on from step %i with %i workers to the same bits", async (step, workers) => {
    const resumed = await run(workers, CONFIG, from(checkpointAt(step)));
    expect(essence(resumed)).toEqual(essence(undisturbed));
    expect(resumed.result.resumedFrom).toBe(step);
    expect(resumed.events.find(({ type }) => type === "started")).toMatchObject({ step });
    const steps = resumed.events.flatMap((event) => (event.type === "step" ? [event] : []));
    expect(steps[0]).toMatchObject({ step: step + 1, epoch: Math.floor(step / 13) + 1, stepInEpoch: (step % 13) + 1 });
    const before = undisturbed.events.flatMap((event) => (event.type === "step" ? [event] : [])).slice(step);
    const told = (event: (typeof steps)[number]) => [event.loss, event.learningRate, event.samplesCounted];
    expect(steps.map(told)).toEqual(before.map(told));
  });

  test("goes on in threads that share memory", async () => {
    expect(essence(await runThreads(3, CONFIG, from(checkpointAt(20))))).toEqual(essence(undisturbed));
  });

  test("that is complete ends at once, with the same result", async () => {
    const { result, events, checkpoints } = await run(0, CONFIG, from(checkpointAt(STEPS)));
    const { weightsSha256, testErrors, testAccuracy, trainLoss, epochs, steps, samples, engine } = undisturbed.result;
    expect(result).toMatchObject({
      weightsSha256,
      testErrors,
      testAccuracy,
      trainLoss,
      epochs,
      steps,
      samples,
      engine,
    });
    expect(result).toMatchObject({ resumedFrom: STEPS, checkpoint: "the checkpoint", trainSeconds: 0, workers: 0 });
    expect(events.map(({ type }) => type)).toEqual(["listening", "finished"]);
    expect(checkpoints).toEqual([]);
  });
});

test("a run that was interrupted after an epoch's last step begins with the evaluation", async () => {
  const config = { ...CONFIG, epochs: 2, checkpointEvery: 0 };
  const undisturbed = await run(2, config);
  const network = new MemoryNetwork();
  const interrupted = await new Fleet({
    ...{ config, workers: 2, dataset, coordinator: network.listen(), connect: () => network.connect() },
    onEvent: (event, fleet) => {
      if (event.type === "step" && event.step === 12) fleet.interrupt("SIGTERM");
    },
  }).run();
  expect(interrupted.result).toMatchObject({ steps: 13, epochs: 0, testErrors: null, interruptedBy: "SIGTERM" });
  const resumed = await run(1, config, from(interrupted.checkpoints.at(-1)));
  const [first, second] = resumed.events.filter(({ type }) => type === "started" || type === "epoch");
  expect(first).toMatchObject({ type: "started", step: 13 });
  expect(second).toMatchObject({ type: "epoch", epoch: 1, samplesPerSecond: 0 });
  expect(essence(resumed)).toEqual(essence(undisturbed));
});

test("a state that is not finite is never saved: the run has diverged, and the checkpoint before it stays", async () => {
  const root = mkdtempSync(join(tmpdir(), "lockstep-diverged-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const folder = join(root, "checkpoints");
  const wasm = await createEngine("wasm");
  let isBad = false;
  // All numbers are finite, but Adam's second moments are not once it has squared these.
  const engine = engineWith(wasm, async (batch) => {
    const answer = await wasm.gradients(batch);
    if (isBad) answer.gradient.fill(1e25);
    return answer;
  });
  const network = new MemoryNetwork();
  const checkpoints = await CheckpointStore.open({
    folder,
    keep: 3,
    onSaved: () => {},
    onFailed: (message) => expect.fail(message),
  });
  const { clipNorm: _, ...config } = CONFIG;
  const fleet = new Fleet({
    ...{ config, workers: 1, dataset, coordinator: network.listen(), connect: () => network.connect() },
    ...{ checkpoints, engine: () => Promise.resolve(engine) },
    onEvent: ({ type }) => {
      if (type === "step") isBad = true;
    },
  });
  const problem: unknown = await fleet.run().catch((thrown: unknown) => thrown);
  expect(problem).toMatchObject({ code: "diverged" });
  const [, step] = /^no checkpoint of step (\d): adam\.v\.\S+ is not finite$/.exec(messageOf(problem)) ?? [];
  expect((await findCheckpoint(folder))?.checkpoint.step).toBe(Number(step) - 1);
});

test("a clipped gradient changes the weights, the same way for any number of workers", async () => {
  const config = { epochs: 1, batchSize: 100, shardSize: 32, limitTrain: 1_230 };
  const [plain, clipped, alone, never] = await Promise.all([
    run(2, config),
    run(3, { ...config, clipNorm: 0.2 }),
    run(1, { ...config, clipNorm: 0.2 }),
    run(2, { ...config, clipNorm: 1e6 }),
  ]);
  expect(alone.result.weightsSha256).toBe(clipped.result.weightsSha256);
  expect(clipped.result.weightsSha256).not.toBe(plain.result.weightsSha256);
  expect(never.result.weightsSha256).toBe(plain.result.weightsSha256);
  const norms = ({ events }: FleetRun) =>
    events.flatMap((event) => (event.type === "step" ? [event.gradientNorm] : []));
  // Of those that are not clipped every tenth is measured.
  const [measured, ...more] = norms(plain).flatMap((norm, i) => (norm === null ? [] : [[i + 1, norm] as const]));
  expect([measured?.[0], more]).toEqual([10, []]);
  expect(measured![1] / norms(never)[9]!).toBeCloseTo(1, 12);
  expect(norms(clipped)).toEqual(norms(alone));
  expect(norms(clipped).some((norm) => norm! > 0.2)).toBe(true);
});
