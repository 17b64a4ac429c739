import { describe, expect, test } from "vitest";
import { StepClock, type StepTrace, type TaskTimes } from "../../src/coordinator/step-clock.ts";
import type { Effect, Plan } from "../../src/coordinator/machine/types.ts";
import type { StepPhases } from "../../src/shared/events.ts";
import type { SliceName } from "../../src/shared/model/contribution.ts";
import type { Spent, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { CoordinatorScript, helloOf } from "../support/coordinator-script.ts";

/** What each thing costs the coordinator, in ms: sums of powers of two, so that totals are exact. */
const DECODE_MS = 1 / 8;
const STAGE_MS = 1 / 4;
const TRANSITION_MS = 1 / 8;
const EFFECT_MS: Partial<Record<Effect["type"], number>> = {
  ...{ assign: 1 / 2, "send-parameters": 1 / 4, accept: 1 / 16, "apply-slice": 1, "commit-step": 1 / 2 },
};

type Assign = Extract<Effect, { type: "assign" }>;
type Result = Extract<WorkerMessage, { type: "result" }>;

/**
 * The real machine, and a shell that does everything in a known time. Before each message the clock is set; a worker
 * answers its assignments in order.
 */
class Scene {
  now = 0;
  readonly steps: StepPhases[] = [];
  readonly #machine: CoordinatorScript;
  readonly #clock: StepClock;
  readonly #assigned = new Map<string, Assign[]>();

  constructor(plan: Partial<Plan> = {}, trace?: StepTrace) {
    this.#clock = new StepClock(trace);
    this.#machine = new CoordinatorScript(plan);
    // What the machine did at its start.
    this.#clock.carriedOut({ type: "begin-step", step: 0, shardCount: 4 }, this.#machine.state.members, 0);
  }

  join(peer: string, at = this.now): void {
    this.#happens(at, () => this.#machine.says(peer, helloOf(`incarnation of ${peer}`)));
    const session = this.#machine.session(peer);
    this.#happens(this.now, () => this.#machine.says(peer, { type: "ready", session }));
  }

  /** A slice of the worker's oldest assignment of the step under way. @param times in ms */
  result(peer: string, slice: SliceName, at: number, times: Partial<Spent>): void {
    const { phase } = this.#machine.state;
    const task = this.owes(peer).find((each) => phase.type === "training" && each.step === phase.step);
    if (task === undefined) throw new Error(`${peer} has no work`);
    const spent = { wait: 0, gather: 0, compute: 0, held: 0 };
    for (const [key, ms] of Object.entries(times)) spent[key as keyof Spent] = ms * 1000;
    const { session, step, shards } = task;
    const nodes = this.#machine.nodes(step, shards);
    const message = { type: "result", session, step, slice, spent, nodes } as const;
    if (slice === "conv") {
      this.#assigned.set(
        peer,
        this.owes(peer).filter((each) => each !== task),
      );
    }
    this.#happens(at, () => {
      this.#clock.received(peer, message, at);
      this.now += DECODE_MS;
      this.#clock.did("decide", this.now);
      this.now += STAGE_MS;
      this.#clock.did("reduce", this.now);
      return this.#machine.says(peer, message);
    });
  }

  /** Both slices, the dense one half-way. */
  computes(peer: string, at: number, times: Partial<Spent> & { held: number }): void {
    this.result(peer, "dense", at - 4, { ...times, held: times.held - 4 });
    this.result(peer, "conv", at, times);
  }

  lost(peer: string, at: number): void {
    this.#happens(at, () => this.#machine.play({ type: "peer-lost", peer, reason: "its connection was lost" }));
  }

  evaluated(peer: string, version: number, chunk: number, at: number): void {
    const session = this.#machine.session(peer);
    this.#happens(at, () => this.#machine.says(peer, { type: "evaluated", session, version, chunk, correct: 1 }));
  }

  /** What the worker was given and has not answered with its last slice. */
  owes(peer: string): readonly Assign[] {
    return this.#assigned.get(peer) ?? [];
  }

  #happens(at: number, act: () => readonly Effect[]): void {
    if (at < this.now) throw new Error(`the coordinator is busy until ${this.now}`);
    this.now = at;
    this.#clock.begin(at);
    const effects = act();
    this.now += TRANSITION_MS;
    this.#clock.did("decide", this.now);
    for (const effect of effects) {
      this.now += EFFECT_MS[effect.type] ?? 0;
      if (effect.type === "assign") this.#assigned.set(effect.peer, [...this.owes(effect.peer), effect]);
      if (effect.type === "commit-step") this.steps.push(this.#clock.commit(this.now));
      this.#clock.carriedOut(effect, this.#machine.state.members, this.now);
    }
  }
}

const workersOf = (scene: Scene, step: number) => scene.steps[step]!.workers;

describe("a step of two workers", () => {
  const scene = new Scene({ minWorkers: 2 });
  scene.join("A");
  scene.join("B", 10);
  // Then work is given out: B's greeting and its being ready take 1/8 each, and so A's is sent at 10.75, B's at 11.25.
  scene.result("A", "dense", 20, { wait: 5, gather: 1, compute: 6, held: 7 });
  scene.result("B", "dense", 22, { wait: 6, gather: 2, compute: 6, held: 8 });
  scene.result("A", "conv", 30, { wait: 5, gather: 1, compute: 15, held: 16 });
  scene.result("B", "conv", 32, { wait: 6, gather: 2, compute: 17, held: 19 });

  test("workers tell of waiting, gathering and computing with their last result, and the rest was the wire", () => {
    expect(workersOf(scene, 0)).toEqual([
      { worker: "worker-1", shards: 2, waitMs: 5, gatherMs: 1, computeMs: 15, wireMs: 30 - 10.75 - 16 },
      { worker: "worker-2", shards: 2, waitMs: 6, gatherMs: 2, computeMs: 17, wireMs: 32 - 11.25 - 19 },
    ]);
  });

  test("the coordinator's time is told apart by what it did", () => {
    // Four messages of workers that joined, and four results.
    expect(scene.steps[0]!.coordinator).toEqual({
      decideMs: 4 * DECODE_MS + 8 * TRANSITION_MS,
      reduceMs: 4 * (STAGE_MS + 1 / 16),
      adamMs: 2 * 1 + 1 / 2,
      // This step's work; the next one's, ahead; and the convolutions for it.
      sendMs: 2 * (1 / 2) + 2 * (1 / 2) + 2 * (1 / 4),
      // From B's last result on, which was not held up.
      tailMs: round(DECODE_MS + STAGE_MS + TRANSITION_MS + 1 / 16 + 1 + 2 * (1 / 4) + 1 / 2),
    });
  });
});

describe("work given out ahead", () => {
  const tasks: { step: number; times: TaskTimes }[] = [];
  const scene = new Scene(
    { minWorkers: 2 },
    { coordinator: () => {}, task: (step, times) => tasks.push({ step, times }) },
  );
  scene.join("A");
  scene.join("B", 10);
  scene.computes("A", 24, { compute: 10, held: 10 });
  scene.computes("B", 30, { compute: 10, held: 10 });

  test("waits for the convolutions, the last that it needs", () => {
    // The last result's 1/8 + 1/4 + 1/8 + 1/16 and Adam's 1, then A's and B's convolutions.
    const sentAt = 30 + 9 / 16 + 1 + 1 / 4;
    expect([scene.owes("A").length, scene.owes("B").length]).toEqual([1, 1]);
    scene.computes("A", 50, { gather: 1, compute: 15, held: 15 });
    scene.computes("B", 60, { gather: 1, compute: 15, held: 15 });
    expect(workersOf(scene, 1)).toEqual([
      { worker: "worker-1", shards: 2, waitMs: 0, gatherMs: 1, computeMs: 15, wireMs: round(50 - sentAt - 15) },
      { worker: "worker-2", shards: 2, waitMs: 0, gatherMs: 1, computeMs: 15, wireMs: round(60 - sentAt - 1 / 4 - 15) },
    ]);
  });

  test("is traced with what is known of its place in time", () => {
    expect(tasks.map(({ step, times }) => [step, times.worker])).toEqual([
      [0, "worker-1"],
      [0, "worker-2"],
      [1, "worker-1"],
      [1, "worker-2"],
    ]);
    expect(tasks[2]!.times).toMatchObject({ receivedAt: 50, beganBy: 35, spent: { held: 15_000 } });
  });

  test("what came of the step before does not count again", () => {
    expect(scene.steps).toHaveLength(2);
    // Given out ahead and while the step before was under way: neither is this step's.
    expect(scene.steps[1]!.coordinator.sendMs).toBe(0);
    expect(scene.steps[1]!.coordinator.adamMs).toBe(2 * 1 + 1 / 2);
  });
});

test("a result that waits for the coordinator shows in the tail", () => {
  const scene = new Scene({ minWorkers: 1, shardsPerStep: 1 });
  scene.join("A");
  scene.result("A", "dense", 20, { held: 10 });
  // Sent right after the other, and looked at late: it must have been there by 20.5.
  scene.result("A", "conv", 24, { held: 10.5 });
  expect(scene.steps[0]!.coordinator.tailMs).toBe(round(scene.now - 20.5));
});

describe("a worker lost in the middle of a step", () => {
  const scene = new Scene({ minWorkers: 2 });
  scene.join("A");
  scene.join("B", 10);
  scene.result("A", "dense", 20, { compute: 5, held: 5 });
  scene.join("C", 20.75);
  scene.result("B", "dense", 22, { compute: 5, held: 5 });
  // The next step's work is given out: a third of it to C. B is lost, and its shards of this step go to C, which is idle.
  scene.lost("B", 26);
  scene.result("A", "conv", 28, { wait: 1, compute: 9, held: 9 });
  scene.result("C", "dense", 44, { compute: 5, held: 5 });
  scene.result("C", "conv", 48, { wait: 2, compute: 9, held: 9 });
  const toC = 26 + TRANSITION_MS + 1 / 2;

  test("counts with what it had sent, and the one that took over with its own way", () => {
    expect(workersOf(scene, 0)).toEqual([
      expect.objectContaining({ worker: "worker-1", computeMs: 9, wireMs: 28 - 10.75 - 9 }),
      expect.objectContaining({ worker: "worker-2", computeMs: 5, wireMs: 22 - 11.25 - 5 }),
      { worker: "worker-3", shards: 2, waitMs: 2, gatherMs: 0, computeMs: 9, wireMs: round(48 - toC - 9) },
    ]);
  });

  test("leaves work of the next step to a worker that has its own, whose tasks both count", () => {
    expect(scene.owes("A").map(({ step, shards }) => [step, shards])).toEqual([
      [1, [0, 1]],
      [1, [2]],
    ]);
    scene.computes("C", 60, { compute: 5, held: 5 });
    scene.computes("A", 70, { wait: 3, gather: 2, compute: 9, held: 9 });
    // This one was queued until the other was done.
    scene.computes("A", 80, { gather: 1, compute: 5, held: 6 });
    const toA = 48 + DECODE_MS + STAGE_MS + TRANSITION_MS + 1 / 16 + 1 + 1 / 4;
    expect(workersOf(scene, 1)).toEqual([
      {
        ...{ worker: "worker-1", shards: 3, waitMs: 3, gatherMs: 3, computeMs: 14 },
        wireMs: round(70 - toA - 9 + (80 - 70 - 6)),
      },
      expect.objectContaining({ worker: "worker-3", shards: 1, computeMs: 5 }),
    ]);
  });
});

test("an evaluation between two epochs is no part of a step", () => {
  const scene = new Scene({ epochs: 2, stepsPerEpoch: 1 });
  scene.join("A");
  scene.computes("A", 20, { compute: 8, held: 8 });
  for (const chunk of [0, 1]) scene.evaluated("A", 1, chunk, 100 + chunk);
  const sentAt = scene.now;
  scene.computes("A", 120, { wait: 30, compute: 8, held: 8 });
  expect(scene.steps.map(({ coordinator }) => coordinator.sendMs)).toEqual([1 / 2, 1 / 2]);
  expect(scene.steps[1]!.coordinator.decideMs).toBe(2 * (DECODE_MS + TRANSITION_MS));
  expect(workersOf(scene, 1)).toEqual([
    { worker: "worker-1", shards: 4, waitMs: 30, gatherMs: 0, computeMs: 8, wireMs: round(120 - sentAt - 8) },
  ]);
});

test("the coordinator's spans are traced with their step, those between steps are not", () => {
  const spans: unknown[] = [];
  const scene = new Scene(
    { epochs: 2, stepsPerEpoch: 1 },
    {
      coordinator: (phase, step, startMs, endMs) => endMs > startMs && spans.push([phase, step, startMs, endMs]),
      task: () => {},
    },
  );
  scene.join("A");
  spans.length = 0;
  scene.computes("A", 20, { held: 8 });
  scene.evaluated("A", 1, 0, 100);
  const at = 20 + DECODE_MS;
  expect(spans.slice(-6)).toEqual([
    ["decide", 0, 20, at],
    ["reduce", 0, at, at + 1 / 4],
    ["decide", 0, at + 1 / 4, at + 3 / 8],
    ["reduce", 0, at + 3 / 8, at + 7 / 16],
    ["adam", 0, at + 7 / 16, at + 23 / 16],
    ["adam", 0, at + 23 / 16, at + 31 / 16],
  ]);
});

test("answers of strangers, of other sessions and of other steps count for nothing", () => {
  const clock = new StepClock();
  const members = new Map();
  const result = { type: "result", session: "s1", step: 0, slice: "dense", nodes: [] } as Omit<Result, "spent">;
  const spent = { wait: 0, gather: 0, compute: 1_000, held: 1_000 };
  const assign = { type: "assign", peer: "A", session: "s1", step: 0, shards: [0], slices: [] } as const;
  clock.carriedOut({ type: "begin-step", step: 0, shardCount: 1 }, members, 0);
  clock.carriedOut(assign, members, 1);
  clock.received("B", { ...result, spent }, 5);
  clock.received("A", { ...result, session: "s0", spent }, 6);
  clock.received("A", { ...result, step: 1, spent }, 7);
  expect(clock.commit(10).workers).toEqual([]);
});

test("a result that comes twice, and late, is no second task", () => {
  const clock = new StepClock();
  const members = new Map();
  const spent = { wait: 0, gather: 0, compute: 1_000, held: 1_000 };
  const result = { type: "result", session: "s1", step: 0, spent, nodes: [] } as Omit<Result, "slice">;
  clock.carriedOut({ type: "begin-step", step: 0, shardCount: 1 }, members, 0);
  clock.carriedOut({ type: "assign", peer: "A", session: "s1", step: 0, shards: [0], slices: [] }, members, 1);
  clock.received("A", { ...result, slice: "dense" }, 5);
  clock.received("A", { ...result, slice: "conv" }, 6);
  clock.received("A", { ...result, slice: "dense" }, 9);
  expect(clock.commit(10).workers).toEqual([
    { worker: "A", shards: 1, waitMs: 0, gatherMs: 0, computeMs: 1, wireMs: 6 - 1 - 1 },
  ]);
});

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
