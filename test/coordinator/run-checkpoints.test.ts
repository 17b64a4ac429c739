import { describe, expect, test } from "vitest";
import { ModelState } from "../../src/coordinator/model-state.ts";
import { RunPlan } from "../../src/coordinator/plan.ts";
import { RunCheckpoints } from "../../src/coordinator/run-checkpoints.ts";
import { RunStatistics } from "../../src/coordinator/run-statistics.ts";
import { settingOf } from "../../src/coordinator/advice.ts";
import type { Resumption } from "../../src/coordinator/resumption.ts";
import type { Checkpoint } from "../../src/shared/checkpoint.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { SLICE_NAMES, SLICES } from "../../src/shared/model/contribution.ts";
import { STATE_COUNT } from "../../src/shared/model/lenet5.ts";
import { VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { epoch, step } from "./training-events.ts";

const DATASET = { name: "made up", digest: "d", trainSamples: 640, testSamples: 100 };
const memory = new VectorMemory();
const zeros = Object.fromEntries(
  SLICE_NAMES.map((name) => [name, memory.allocate(SLICES[name].contributionLength)]),
) as Record<(typeof SLICE_NAMES)[number], ReturnType<VectorMemory["allocate"]>>;

/** Ten steps an epoch. */
function setUp(checkpointEvery: number, resumption?: Resumption) {
  const config = configFrom("train", { checkpointEvery, epochs: 3 });
  const plan = new RunPlan(config, DATASET);
  const model = new ModelState(memory, new Float32Array(STATE_COUNT));
  if (resumption !== undefined) model.restore(resumption.checkpoint);
  const before = resumption && { ...resumption, samples: plan.samplesBefore(resumption.checkpoint.step) };
  const statistics = new RunStatistics(0, settingOf(config, 640, 1), before);
  const saved: string[] = [];
  const note =
    (how: string) =>
    (checkpoint: Checkpoint, { isEvaluated }: { isEvaluated: boolean }) => {
      saved.push(`${how} ${checkpoint.step}${isEvaluated ? " evaluated" : ""}`);
    };
  const sink = {
    save: note("step"),
    saveLast: async (...args: Parameters<ReturnType<typeof note>>) => {
      note("last")(...args);
      return `step-${args[0].step}`;
    },
    settled: async () => {},
  };
  const checkpoints = new RunCheckpoints({ config, dataset: DATASET, plan, model, statistics, sink, resumption });
  return {
    ...{ checkpoints, saved },
    step: () => {
      for (const name of SLICE_NAMES) model.applySlice(name, zeros[name], 0.001);
      model.commit();
      statistics.record(step({ step: model.step, stepInEpoch: ((model.step - 1) % 10) + 1 }), 0);
      checkpoints.stepDone(model.step);
      checkpoints.saveIfDue();
    },
    evaluate: () => {
      statistics.record(epoch({ epoch: model.step / 10, testErrors: 7, testSamples: 100 }), 0);
      checkpoints.epochEvaluated();
    },
  };
}

type Run = ReturnType<typeof setUp>;

/** Trains so many steps, and evaluates after each epoch's last one. */
function train({ step: take, evaluate, checkpoints }: Run, from: number, to: number): void {
  for (let done = from + 1; done <= to; done++) {
    take();
    if (done % 10 !== 0) continue;
    evaluate();
    checkpoints.saveIfDue();
  }
}

describe("a checkpoint is saved", () => {
  test.each([
    [0, ["step 10 evaluated", "step 20 evaluated"]],
    [4, ["step 4", "step 8", "step 10 evaluated", "step 12", "step 16", "step 20 evaluated"]],
    [5, ["step 5", "step 10 evaluated", "step 15", "step 20 evaluated"]],
    [10, ["step 10 evaluated", "step 20 evaluated"]],
    [15, ["step 10 evaluated", "step 15", "step 20 evaluated"]],
  ])("with --checkpoint-every %i", (every, expected) => {
    const run = setUp(every);
    train(run, 0, 23);
    expect(run.saved).toEqual(expected);
  });

  test("at the end instead of whatever is due then", async () => {
    const run = setUp(1);
    for (let i = 0; i < 10; i++) run.step();
    run.evaluate();
    run.checkpoints.ending();
    run.checkpoints.saveIfDue();
    expect(await run.checkpoints.saveLast()).toBe("step-10");
    expect(run.saved.slice(-2)).toEqual(["step 9", "last 10 evaluated"]);
  });

  test("not evaluated where the run ends before the evaluation", async () => {
    const run = setUp(0);
    for (let i = 0; i < 10; i++) run.step();
    await run.checkpoints.saveLast();
    expect(run.saved).toEqual(["last 10"]);
  });

  test("not at all before the first step, nor where nothing was done since the one resumed from", async () => {
    expect(await setUp(0).checkpoints.saveLast()).toBe("");
    const checkpoint = checkpointOf(15, { epoch: 1, progress: { evaluatedEpochs: 1, testErrors: 9 } });
    const run = setUp(0, { path: "before", checkpoint });
    expect(await run.checkpoints.saveLast()).toBe("before");
    expect(run.saved).toEqual([]);
    run.step();
    expect(await run.checkpoints.saveLast()).toBe("step-16");
  });

  test("when nothing but the evaluation was done since", async () => {
    const run = setUp(0, { path: "before", checkpoint: checkpointOf(10, { epoch: 1 }) });
    run.evaluate();
    expect(await run.checkpoints.saveLast()).toBe("step-10");
    expect(run.saved).toEqual(["last 10 evaluated"]);
  });
});
