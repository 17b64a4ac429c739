import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/shared/clock.ts";
import { holdOut } from "../../src/shared/data/held-out.ts";
import { InputSource } from "../../src/shared/data/input-source.ts";
import { runningStatistics, type SliceName, SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";
import { bytesOf } from "../../src/shared/protocol/codec.ts";
import type { Assign, Evaluate, Welcome } from "../../src/shared/protocol/messages.ts";
import type { Engine } from "../../src/worker/engines/engine.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { ShardSums, type SummedSlice } from "../../src/worker/shard-sums.ts";
import { countCorrect, type TaskListener, TaskRunner } from "../../src/worker/task-runner.ts";
import { TaskClock } from "../../src/worker/task-clock.ts";
import { engineWith } from "../support/engine-with.ts";
import { expectSameBits } from "../support/floats.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";
import { welcomeOf } from "../support/welcome.ts";

const dataset = syntheticDataset(40, 12);
const welcome = (changes: Partial<Welcome> = {}): Welcome =>
  welcomeOf({ seed: 5, trainSamples: 40, validationSamples: 10, shardSize: 8, ...changes });
const assign: Assign = {
  ...{ type: "assign", session: "c/1", step: 0, epoch: 0, shardCount: 4, globalCount: 27, slices: [] },
  shards: [
    { index: 0, count: 8 },
    { index: 1, count: 8 },
    { index: 3, count: 3 },
  ],
};
const samples = Uint32Array.from({ length: 19 }, (_, i) => (i * 7) % 40);
const evaluate: Evaluate = {
  type: "evaluate",
  session: "c/1",
  version: 0,
  chunk: 1,
  images: "test",
  first: 2,
  count: 9,
};

/** Writes down what a task tells; it is cancelled once it has told `until` things. */
class Notes implements TaskListener {
  readonly lines: string[] = [];
  readonly summed = new Map<SliceName, SummedSlice>();
  readonly #until: number;

  constructor(until = Infinity) {
    this.#until = until;
  }

  onSlice(slice: SliceName, summed: SummedSlice): void {
    this.lines.push(slice);
    this.summed.set(slice, summed);
  }

  onEvaluated(correct: number): void {
    this.lines.push(`${correct} correct`);
  }

  onComputed(): void {
    this.lines.push("computed");
  }

  isCancelled(): boolean {
    return this.lines.length >= this.#until;
  }
}

let engine: Engine;
/** Computes what is expected, so that the runner's own engine is left alone. */
let oracle: Engine;
let runner: TaskRunner;

function keep(
  version: number,
  state: Float32Array,
  { of = runner, averaged = false, slices = SLICE_NAMES } = {},
): void {
  for (const slice of slices) {
    const { start, stateLength } = SLICES[slice];
    of.keepParameters({ version, slice, averaged }, bytesOf(state.subarray(start, start + stateLength)));
  }
}

beforeAll(async () => {
  [engine, oracle] = [await createEngine("wasm"), await createEngine("wasm")];
});

beforeEach(async () => {
  runner = new TaskRunner(engine, dataset, new TaskClock(systemClock));
  await runner.prepare(welcome());
  keep(0, initialState(1));
});

/** The same by hand: gather, compute, add. */
async function expectedSums(state: Float32Array, epoch?: number, labelSmoothing = 0): Promise<ShardSums> {
  const sums = new ShardSums();
  const source = new InputSource(dataset.train);
  sums.reset(assign.shardCount);
  oracle.load(state.subarray(0, PARAMETER_COUNT));
  let start = 0;
  for (const { index, count } of assign.shards) {
    const images = new Float32Array(count * IMAGE_SIZE);
    const labels = new Uint8Array(count);
    const indices = samples.subarray(start, start + count);
    source.gather(indices, images, labels, epoch === undefined ? undefined : { seed: 5, epoch });
    const gradient = await oracle.gradients({ images, labels, globalCount: assign.globalCount, labelSmoothing });
    sums.addDense(index, gradient, count, assign.globalCount);
    sums.addConv(index, gradient);
    start += count;
  }
  return sums;
}

function expectSlices(notes: Notes, expected: ShardSums): void {
  for (const slice of SLICE_NAMES) {
    const { nodes, sums } = expected.take(slice);
    const found = notes.summed.get(slice);
    expect(found?.nodes).toEqual(nodes);
    for (const [i, sum] of sums.entries()) expectSameBits(found!.sums[i]!, sum, `${slice}, node ${i}`);
  }
}

describe("a step", () => {
  test("tells its dense slice before its convolution slice, after all shards", async () => {
    const notes = new Notes();
    await runner.computeStep(assign, samples, notes);
    expect(notes.lines).toEqual(["computed", "computed", "dense", "conv", "computed"]);
    expect(notes.summed.get("dense")?.nodes).toEqual([
      { level: 1, index: 0 },
      { level: 0, index: 3 },
    ]);
  });

  test.each([
    ["conv", "dense"],
    ["dense", "conv"],
  ] as const)("comes to the same when it was anticipated before its %s parameters came", async (last, first) => {
    const [state, task] = [initialState(2), { ...assign, step: 3 }];
    // In whose place the others come.
    keep(1, initialState(3));
    keep(3, state, { slices: [first] });
    runner.anticipate(task, samples);
    keep(3, state, { slices: [last] });
    const notes = new Notes();
    await runner.computeStep(task, samples, notes);
    expectSlices(notes, await expectedSums(state));
  });

  test("comes to the same when another was computed after it was anticipated", async () => {
    const [state, task] = [initialState(2), { ...assign, step: 1 }];
    keep(1, state);
    runner.anticipate(task, samples);
    const others = samples.map((sample) => (sample + 11) % 40);
    await runner.computeStep(assign, others, new Notes());
    keep(0, initialState(3), { averaged: true });
    await runner.evaluate(evaluate, new Notes());
    const notes = new Notes();
    await runner.computeStep(task, samples, notes);
    expectSlices(notes, await expectedSums(state));
  });

  test("comes to what the engine computes for each shard, added along the tree", async () => {
    const notes = new Notes();
    await runner.computeStep(assign, samples, notes);
    expectSlices(notes, await expectedSums(initialState(1)));
  });

  test("tells the dense slice while the convolutions are still to come", async () => {
    const order: string[] = [];
    const watched = engineWith(engine, async (shard, denseFinal) => {
      const result = await engine.gradients(shard, denseFinal);
      order.push("engine is done");
      return result;
    });
    const other = new TaskRunner(watched, dataset, new TaskClock(systemClock));
    await other.prepare(welcome());
    keep(0, initialState(1), { of: other });
    order.length = 0;
    const notes = new Notes();
    notes.onSlice = (slice) => void order.push(slice);
    await other.computeStep({ ...assign, shards: assign.shards.slice(0, 1) }, samples, notes);
    expect(order).toEqual(["dense", "engine is done", "conv"]);
  });

  test("tells the same with an engine that does not say when the dense slice is final", async () => {
    const silent = engineWith(engine, (shard) => engine.gradients(shard));
    const other = new TaskRunner(silent, dataset, new TaskClock(systemClock));
    await other.prepare(welcome());
    keep(0, initialState(1), { of: other });
    const notes = new Notes();
    await other.computeStep(assign, samples, notes);
    expect(notes.lines).toEqual(["computed", "computed", "dense", "conv", "computed"]);
    expectSlices(notes, await expectedSums(initialState(1)));
  });

  test("uses the version that it is for", async () => {
    keep(1, initialState(2));
    keep(2, initialState(3));
    for (const [step, seed] of [
      [1, 2],
      [2, 3],
      [1, 2],
    ] as const) {
      const notes = new Notes();
      await runner.computeStep({ ...assign, step }, samples, notes);
      expectSlices(notes, await expectedSums(initialState(seed)));
    }
  });

  test("augments by seed, epoch and sample when the run does", async () => {
    await runner.prepare(welcome({ augment: true }));
    const notes = new Notes();
    await runner.computeStep({ ...assign, epoch: 3 }, samples, notes);
    expectSlices(notes, await expectedSums(initialState(1), 3));
  });

  test("smooths the labels as the run does, and no longer once a run does not", async () => {
    for (const labelSmoothing of [0.1, 0]) {
      await runner.prepare(welcome({ labelSmoothing }));
      const notes = new Notes();
      await runner.computeStep(assign, samples, notes);
      expectSlices(notes, await expectedSums(initialState(1), undefined, labelSmoothing));
    }
  });

  test.each([
    [0, []],
    [1, ["computed"]],
    [2, ["computed", "computed"]],
    [3, ["computed", "computed", "dense"]],
    [4, ["computed", "computed", "dense", "conv"]],
  ])("cancelled after %i tellings tells nothing more", async (until, lines) => {
    const notes = new Notes(until);
    await runner.computeStep(assign, samples, notes);
    expect(notes.lines).toEqual(lines);
  });
});

describe("an evaluation", () => {
  test("counts with the running statistics of its version", async () => {
    const state = initialState(1);
    state.subarray(PARAMETER_COUNT).set(Float32Array.from({ length: 44 }, (_, i) => 0.5 + i / 50));
    keep(2, initialState(9));
    keep(2, state, { averaged: true });
    // The engine holds what this version trains on when the evaluation begins.
    await runner.computeStep({ ...assign, step: 2 }, samples, new Notes());
    const notes = new Notes();
    await runner.evaluate({ ...evaluate, version: 2 }, notes);

    const images = new Float32Array(9 * IMAGE_SIZE);
    const labels = new Uint8Array(9);
    new InputSource(dataset.test).gatherRange(2, 11, images, labels);
    oracle.load(state.subarray(0, PARAMETER_COUNT));
    const { logits } = await oracle.evaluate({ images, labels, ...runningStatistics(state.subarray(PARAMETER_COUNT)) });
    expect(notes.lines).toEqual(["computed", `${countCorrect(logits, labels)} correct`]);
  });

  test("of validation images is of the training images that are held out", async () => {
    const state = initialState(1);
    keep(2, state, { averaged: true });
    const notes = new Notes();
    await runner.evaluate({ ...evaluate, version: 2, images: "validation", first: 3, count: 7 }, notes);

    const held = holdOut(5, 40, 10).validation.subarray(3, 10);
    const images = new Float32Array(7 * IMAGE_SIZE);
    const labels = new Uint8Array(7);
    new InputSource(dataset.train).gather(held, images, labels);
    oracle.load(state.subarray(0, PARAMETER_COUNT));
    const { logits } = await oracle.evaluate({ images, labels, ...runningStatistics(state.subarray(PARAMETER_COUNT)) });
    expect(notes.lines).toEqual(["computed", `${countCorrect(logits, labels)} correct`]);
  });

  test("of validation images that are not there is refused, and so is a run that holds out too many", async () => {
    keep(0, initialState(1), { averaged: true });
    const beyond: Evaluate = { ...evaluate, images: "validation", first: 8, count: 3 };
    await expect(runner.evaluate(beyond, new Notes())).rejects.toThrow("are not among 10");
    await expect(runner.prepare(welcome({ trainSamples: 41 }))).rejects.toThrow("here there are 40");
    await expect(runner.prepare(welcome({ trainSamples: 10 }))).rejects.toThrow("10 of 10 training images");
  });

  test("that was cancelled tells nothing", async () => {
    keep(0, initialState(1), { averaged: true });
    const notes = new Notes(0);
    await runner.evaluate(evaluate, notes);
    expect(notes.lines).toEqual([]);
  });
});

describe("countCorrect", () => {
  const row = (...largest: number[]): number[] => Array.from({ length: 10 }, (_, k) => (largest.includes(k) ? 2 : -1));

  test("counts images whose largest logit is the label's", () => {
    const logits = Float32Array.from([...row(0), ...row(9), ...row(4)]);
    expect(countCorrect(logits, Uint8Array.of(0, 9, 5))).toBe(2);
  });

  test("lets the first of equal logits win", () => {
    const logits = Float32Array.from([...row(3, 7), ...row(3, 7), ...row()]);
    expect(countCorrect(logits, Uint8Array.of(3, 7, 0))).toBe(2);
  });

  test("of none is none", () => {
    expect(countCorrect(new Float32Array(0), new Uint8Array(0))).toBe(0);
  });
});
