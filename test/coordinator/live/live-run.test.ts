import { beforeEach, describe, expect, test } from "vitest";
import { LiveRun } from "../../../src/coordinator/live/live-run.ts";
import type { PresentWorker } from "../../../src/coordinator/live/live-workers.ts";
import { type History, historyOf, updated } from "../../../src/coordinator/live/page/history.ts";
import type { Snapshot } from "../../../src/coordinator/live/page/protocol.ts";
import { LockstepError } from "../../../src/shared/errors.ts";
import type { TrainingEvent } from "../../../src/shared/events.ts";
import { endEvaluated, epoch, finished, resumed, started, step, workerLeft, workerPhases } from "../training-events.ts";

const UNIX_MS = 1_800_000_000_000;

let now = 0;
let present: PresentWorker[] = [];
let run: LiveRun;

beforeEach(() => {
  now = 0;
  present = [];
  run = new LiveRun({ runName: () => "mine", workers: () => present, now: () => now, unixNow: () => UNIX_MS + now });
});

function joined(worker: string): TrainingEvent {
  const about = { engine: "wasm", device: "cpu", host: "node-7", pid: 12, workers: 1 };
  return { type: "worker-joined", worker, ...about };
}

/** Steps of 64 samples, each of them `stepMs` after the one before. */
function train(from: number, to: number, stepMs: number): void {
  for (let each = from; each <= to; each++) {
    now += stepMs;
    run.record(step({ step: each, stepInEpoch: ((each - 1) % 938) + 1, epoch: Math.ceil(each / 938), loss: 1 / each }));
  }
}

describe("the state", () => {
  test("goes from the start over training and evaluation to the end", () => {
    const phases: string[] = [];
    const note = (): void => void phases.push(run.snapshot().state.phase);
    note();
    run.record({ type: "waiting", workers: 0, minWorkers: 2, waitedMs: 5_000 });
    expect(run.snapshot().state.note).toBe("0 of 2 workers are ready.");
    note();
    run.record(started());
    note();
    train(1, 938, 1);
    note();
    run.record(epoch());
    note();
    run.record(finished());
    note();
    expect(phases).toEqual(["starting", "waiting", "training", "evaluating", "training", "finished"]);
    expect(run.end().result).toMatchObject({ testAccuracy: 0.9896, steps: 9380, samplesLost: 0 });
  });

  test("says how long the rest takes at the speed of the last seconds, evaluations included", () => {
    run.record(started({ epochs: 2, totalSteps: 1_876 }));
    expect(run.snapshot().state.etaSeconds).toBeNull();
    train(1, 938, 10);
    now += 3_000;
    run.record(epoch());
    train(939, 1_407, 10);
    const { state } = run.snapshot();
    expect(state).toMatchObject({ step: 1_407, totalSteps: 1_876, epoch: 2, epochs: 2, testAccuracy: 0.981 });
    expect(state.samplesPerSecond).toBeCloseTo(6_400, 0);
    // Half an epoch of 60,000 samples, and one evaluation.
    expect(state.etaSeconds).toBeCloseTo(30_000 / 6_400 + 3, 1);
    expect(state.elapsedSeconds).toBeCloseTo(17.07, 2);
  });

  test("tells the last evaluation, the best epoch, and at the end which weights the accuracy is of", () => {
    run.record(resumed({ bestEpoch: 7 }));
    expect(run.snapshot().state).toMatchObject({ bestEpoch: 7 });
    run.record(resumed());
    run.record(started({ epochs: 20 }));
    expect(run.snapshot().state).toMatchObject({ validationAccuracy: null, bestEpoch: null });
    train(1, 938, 1);
    run.record(epoch({ epoch: 1, validationAccuracy: 0.97, isBest: true }));
    train(939, 1_876, 1);
    run.record(epoch({ epoch: 2, validationAccuracy: 0.96 }));
    expect(run.snapshot().state).toMatchObject({ testAccuracy: 0.981, validationAccuracy: 0.96, bestEpoch: 1 });
    train(1_877, 1_900, 1);
    const mark = run.mark;
    run.record(endEvaluated({ step: 1_900, testAccuracy: 0.982, validationAccuracy: 0.965 }));
    expect(run.update(mark)?.epochs).toEqual({
      ...{ step: [938, 1_876, 1_900], epoch: [1, 2, 3], trainLoss: [0.2001, 0.2001, null] },
      ...{ testAccuracy: [0.981, 0.981, 0.982], validationAccuracy: [0.97, 0.96, 0.965] },
    });
    expect(run.snapshot().events.at(-1)).toMatchObject({ tone: "good", text: expect.stringContaining("time is up") });
    run.record(finished({ testAccuracy: 0.981, validationAccuracy: 0.97, bestEpoch: 1, epochs: 2, endedBy: "time" }));
    const { state, result } = run.end();
    expect(state).toMatchObject({ phase: "finished", testAccuracy: 0.982, validationAccuracy: 0.965, epochs: 20 });
    expect(result).toMatchObject({
      ...{ testAccuracy: 0.981, validationAccuracy: 0.97, bestEpoch: 1, epochs: 2, endedBy: "time" },
      bestCheckpoint: "runs/a/checkpoints/best",
    });
  });

  test("of a run that failed says why, and has no result", () => {
    run.record(started());
    run.fail(new LockstepError("diverged", "the loss is NaN at step 7: lower --lr"));
    const { state, result } = run.end();
    expect(state).toMatchObject({ phase: "failed", note: "the loss is NaN at step 7: lower --lr", etaSeconds: null });
    expect(result).toBeNull();
    expect(run.snapshot().events.at(-1)).toMatchObject({ tone: "bad", text: expect.stringContaining("loss is NaN") });
  });

  test("has null for what is not finite, which JSON cannot say", () => {
    run.record(started());
    run.record(step({ loss: NaN }));
    const { state, steps } = JSON.parse(JSON.stringify(run.snapshot())) as Snapshot;
    expect([state.loss, steps.loss]).toEqual([null, [null]]);
  });
});

test("updates, each on the one before, make the same history as a snapshot", () => {
  run.record(started());
  let mark = run.mark;
  let history: History = historyOf(run.snapshot());
  let snapshots = 0;
  for (const end of [1, 2, 40, 938, 939, 1_900, 2_500, 2_501, 9_000]) {
    train(history.state.step + 1, end, 2);
    if (end === 938) run.record(epoch());
    const update = run.update(mark);
    mark = run.mark;
    if (update === undefined) {
      snapshots += 1;
      history = historyOf(run.snapshot());
    } else {
      history = updated(history, update);
    }
    expect(history).toEqual(historyOf(run.snapshot()));
    expect(history.steps.step.length).toBeLessThanOrEqual(2_000);
  }
  // Only where points were merged meanwhile: at 2,001 and, twice, before 9,000 steps.
  expect(snapshots).toBe(2);
  expect(history.epochs).toMatchObject({ step: [938], epoch: [1], testAccuracy: [0.981] });
});

test("an update is small: it has the new points, and events only when there are new ones", () => {
  run.record(started());
  train(1, 500, 2);
  const mark = run.mark;
  train(501, 503, 2);
  const update = run.update(mark);
  expect(update?.steps).toMatchObject({ from: 499, step: [500, 501, 502, 503] });
  expect(Object.keys(update ?? {})).toEqual(["state", "steps", "workers"]);
});

describe("the table of workers", () => {
  const member = (name: string, state: PresentWorker["state"]): PresentWorker => {
    return { name, host: "node-7", engine: "wasm", device: "cpu", state, shardMs: 1.23456 };
  };

  test("has those that are there as the coordinator sees them, with what they did, then those that are gone", () => {
    for (const worker of ["worker-1", "worker-2", "worker-3"]) run.record(joined(worker));
    run.record(started());
    run.record(
      step({ phases: { ...phases(), workers: [1, 2, 3].map((n) => workerPhases({ worker: `worker-${n}` })) } }),
    );
    run.record({ type: "worker-late", worker: "worker-2", step: 401, shards: 2, lateMs: 900 });
    run.record(workerLeft({ worker: "worker-1", lost: true, shardsReassigned: 3 }));
    present = [member("worker-2", "late"), member("worker-3", "ready"), member("worker-4", "joining")];
    const row = { host: "node-7", device: "wasm on cpu", shards: 1, shardsLate: 0, shardMs: 1.235 };
    expect(run.snapshot().workers).toEqual([
      { ...row, name: "worker-2", state: "late", shardsLate: 2 },
      { ...row, name: "worker-3", state: "ready" },
      { ...row, name: "worker-4", state: "joining", shards: 0 },
      { ...row, name: "worker-1", state: "lost", shardsLate: 3, shardMs: null },
    ]);
    // At the end the coordinator has let them go.
    present = [];
    expect(run.snapshot().workers.map(({ name, state }) => `${name} ${state}`)).toEqual([
      ...["worker-2 left", "worker-3 left"],
      "worker-1 lost",
    ]);
  });

  test("forgets those that are long gone, however many come and go", () => {
    for (let n = 1; n <= 2_000; n++) {
      run.record(joined(`worker-${n}`));
      run.record(workerLeft({ worker: `worker-${n}` }));
    }
    const { workers } = run.snapshot();
    expect([workers.length, workers[0]?.name]).toEqual([16, "worker-2000"]);
  });

  test("drifts with what no event tells, and with nothing else", () => {
    const before = run.drift();
    now += 1_000;
    expect(run.drift()).toBe(before);
    present = [member("worker-1", "joining")];
    expect(run.drift()).not.toBe(before);
  });
});

describe("the events", () => {
  test("are the last fifty, as sentences with their time", () => {
    run.record(started());
    for (let n = 1; n <= 60; n++) {
      now = n * 1_000;
      run.record(joined(`worker-${n}`));
    }
    const { events } = run.snapshot();
    expect(events).toHaveLength(50);
    expect(events.at(-1)).toEqual({
      id: 61,
      at: UNIX_MS + 60_000,
      tone: "info",
      times: 1,
      text: expect.stringMatching(/^Worker worker-60 joined/),
    });
  });

  test("that are the same in a row take one line, so that none pushes out all others", () => {
    for (let n = 1; n <= 100; n++) run.record({ type: "rejected", reason: "late answer" });
    for (let n = 1; n <= 3; n++) run.record({ type: "waiting", workers: 0, minWorkers: 1, waitedMs: n * 5_000 });
    run.record({ type: "rejected", reason: "late answer" });
    expect(run.snapshot().events.map(({ times }) => times)).toEqual([100, 3, 1]);
    expect(run.snapshot().events[1]?.text).toContain("15 s");
  });

  test("are cut where they are long", () => {
    run.record({ type: "warning", message: "x".repeat(10_000) });
    expect(run.snapshot().events[0]?.text.length).toBe(400);
  });
});

function phases(): Extract<TrainingEvent, { type: "step" }>["phases"] {
  return (step() as Extract<TrainingEvent, { type: "step" }>).phases;
}
