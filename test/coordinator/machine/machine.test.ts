import { describe, expect, test } from "vitest";
import { initialState, transition } from "../../../src/coordinator/machine/machine.ts";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import { CoordinatorScript, helloOf, PLAN } from "../../support/coordinator-script.ts";

let script: CoordinatorScript;

/** Starts with these workers ready; what was said until then is not part of the scene. */
function begin(peers: readonly string[], changes: Partial<Plan> = {}): void {
  script = new CoordinatorScript(changes);
  script.join(...peers);
  script.transcript();
}

describe("a whole run", () => {
  test("with one worker", () => {
    script = new CoordinatorScript();
    script.join("A");
    script.computes("A");
    script.computes("A");
    script.evaluates("A", 200);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "start
        begin step 0, 4 shards
      A: hello
        A <- welcome as worker-1
      A: ready
        report worker-1 joined, 1 ready
        A <- assign step 0 shards 0,1,2,3 +dense +conv
      A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1,2,3 +dense
      A: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        A <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards
      A: result step 1 dense 2/0
        accept dense 2/0
        apply dense of step 1
      A: result step 1 conv 2/0
        accept conv 2/0
        apply conv of step 1
        commit step 1
        A <- averaged parameters 2 dense
        A <- averaged parameters 2 conv
        A <- evaluate version 2 chunks 0,1
      A: evaluated version 2 chunk 0: 200 correct
      A: evaluated version 2 chunk 1: 200 correct
        epoch 0 evaluated: 400 correct
        A <- stop, done
        finish: done"
    `);
  });

  test("with two workers, the slower one at the heels of the faster", () => {
    script = new CoordinatorScript({ shardsInLastStep: 3 });
    script.join("A", "B");
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "start
        begin step 0, 4 shards
      A: hello
        A <- welcome as worker-1
      A: ready
        report worker-1 joined, 1 ready
        A <- assign step 0 shards 0,1,2,3 +dense +conv
      B: hello
        B <- welcome as worker-2
      B: ready
        report worker-2 joined, 2 ready
      A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2 +dense
      A: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        A <- parameters 1 conv
        B <- parameters 1 conv
        commit step 0
        begin step 1, 3 shards"
    `);
    begin(["A", "B"], { minWorkers: 2, shardsInLastStep: 3 });
    script.sends("A", "dense");
    script.sends("A", "conv");
    script.sends("B", "dense");
    script.sends("B", "conv");
    script.computes("B");
    script.computes("A");
    script.evaluates("B", 100);
    script.evaluates("A", 120);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0
        accept dense 1/0
      A: result step 0 conv 1/0
        accept conv 1/0
      B: result step 0 dense 1/1
        accept dense 1/1
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2 +dense
      B: result step 0 conv 1/1
        accept conv 1/1
        apply conv of step 0
        A <- parameters 1 conv
        B <- parameters 1 conv
        commit step 0
        begin step 1, 3 shards
      B: result step 1 dense 1/1
        accept dense 1/1
      B: result step 1 conv 1/1
        accept conv 1/1
      A: result step 1 dense 1/0
        accept dense 1/0
        apply dense of step 1
      A: result step 1 conv 1/0
        accept conv 1/0
        apply conv of step 1
        commit step 1
        A <- averaged parameters 2 dense
        A <- averaged parameters 2 conv
        A <- evaluate version 2 chunks 0
        B <- averaged parameters 2 dense
        B <- averaged parameters 2 conv
        B <- evaluate version 2 chunks 1
      B: evaluated version 2 chunk 1: 100 correct
      A: evaluated version 2 chunk 0: 120 correct
        epoch 0 evaluated: 220 correct
        A <- stop, done
        B <- stop, done
        finish: done"
    `);
  });

  test("evaluates after each epoch and goes on with the next", () => {
    begin(["A"], { epochs: 2, stepsPerEpoch: 1, evaluationChunks: 1, shardsInLastStep: 1 });
    for (let epoch = 0; epoch < 2; epoch++) {
      script.computes("A");
      script.evaluates("A", 7 + epoch);
    }
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 0/0
        accept dense 0/0
        apply dense of step 0
      A: result step 0 conv 0/0
        accept conv 0/0
        apply conv of step 0
        commit step 0
        A <- averaged parameters 1 dense
        A <- averaged parameters 1 conv
        A <- evaluate version 1 chunks 0
      A: evaluated version 1 chunk 0: 7 correct
        epoch 0 evaluated: 7 correct
        begin step 1, 1 shards
        A <- assign step 1 shards 0 +dense +conv
      A: result step 1 dense 0/0
        accept dense 0/0
        apply dense of step 1
      A: result step 1 conv 0/0
        accept conv 0/0
        apply conv of step 1
        commit step 1
        A <- averaged parameters 2 dense
        A <- averaged parameters 2 conv
        A <- evaluate version 2 chunks 0
      A: evaluated version 2 chunk 0: 8 correct
        epoch 1 evaluated: 8 correct
        A <- stop, done
        finish: done"
    `);
  });
});

test("a large evaluation is given out a few chunks at a time, each once", () => {
  begin(["A", "B"], { minWorkers: 1, stepsPerEpoch: 1, evaluationChunks: 100 });
  script.computes("A");
  while (script.state.phase.type !== "finished") {
    script.evaluates("A", 10);
    script.evaluates("B", 10);
  }
  const given = [...script.transcript().matchAll(/evaluate version 1 chunks ([\d,]+)/g)].map(([, chunks]) =>
    chunks!.split(",").map(Number),
  );
  expect(Math.max(...given.map(({ length }) => length))).toBe(16);
  expect(given.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, chunk) => chunk));
});

describe("time", () => {
  test("pings members every second, and more often those who owe work", () => {
    begin(["A"]);
    script.hello("B");
    script.transcript();
    for (let i = 0; i < 4; i++) script.tick();
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 250 ms
        A <- ping
      tick at 500 ms
        A <- ping
      tick at 750 ms
        A <- ping
      tick at 1000 ms
        A <- ping
        B <- ping"
    `);
  });

  test("gives a silent worker up after the stall timeout", () => {
    begin(["A"]);
    script.tick(30_000);
    expect(script.state.members.size).toBe(1);
    script.transcript();
    script.tick(1);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 30001 ms
        A <- rejected, unknown-session
        report worker-1 lost (no result for 30 s), 4 shards reassigned, 0 ready"
    `);
  });

  test("doubles the stall timeout until the step is done, so that work that takes long is done in the end", () => {
    begin(["A"]);
    script.tick(30_001);
    expect(script.state.members.size).toBe(0);
    script.join("B");
    script.tick(60_000);
    expect(script.state.members.size).toBe(1);
    script.tick(1);
    expect(script.state.members.size).toBe(0);
    script.join("C");
    script.computes("C");
    script.tick(30_001);
    expect(script.state.members.size).toBe(0);
  });

  test("does not give up a worker that says it is getting on", () => {
    begin(["A"]);
    script.computes("A");
    for (let computed = 1; computed <= 5; computed++) {
      script.tick(29_000);
      script.pongs("A", { computed });
    }
    expect(script.state.members.size).toBe(1);
    script.tick(29_000);
    script.pongs("A", { computed: 5 });
    script.tick(2_000);
    expect(script.state.members.size).toBe(0);
  });

  test("does not give up a worker that owes nothing", () => {
    begin(["A"]);
    script.join("B");
    script.tick(3_000_000);
    expect([...script.state.members.keys()]).toEqual(["B"]);
  });
});

test("the same event on the same state gives the same answer, and leaves that state alone", () => {
  begin(["A", "B"]);
  const { state } = script;
  const before = structuredClone(state);
  const event = { type: "message", peer: "C", message: helloOf("c"), finite: true, at: 5 } as const;
  expect(transition(state, event)).toEqual(transition(state, event));
  expect(transition(state, { type: "peer-lost", peer: "A", reason: "?", at: 9 })[1]).not.toEqual([]);
  expect(state).toEqual(before);
  expect(initialState(PLAN, "c")).toEqual(initialState(PLAN, "c"));
});
