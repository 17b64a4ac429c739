import { describe, expect, test } from "vitest";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import { CoordinatorScript } from "../../support/coordinator-script.ts";

let script: CoordinatorScript;

/** Starts with these workers ready; what was said until then is not part of the scene. */
function begin(peers: readonly string[], changes: Partial<Plan> = {}): void {
  script = new CoordinatorScript(changes);
  script.join(...peers);
  script.transcript();
}

describe("workers that go", () => {
  test("by their own will finish what they owe first, and get nothing more", () => {
    begin(["A", "B"], { stepsPerEpoch: 3 });
    script.computes("A");
    script.transcript();
    script.sends("A", "dense");
    script.leaves("A");
    script.computes("B");
    script.sends("A", "conv");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 1 dense 1/0
        accept dense 1/0
      A: leaving, it received SIGTERM
      B: result step 1 dense 1/1
        accept dense 1/1
        apply dense of step 1
        B <- assign step 2 shards 0,1,2,3 +dense
      B: result step 1 conv 1/1
        accept conv 1/1
      A: result step 1 conv 1/0
        accept conv 1/0
        apply conv of step 1
        B <- parameters 2 conv
        commit step 1
        begin step 2, 4 shards
        A <- stop, left
        report worker-1 left (it received SIGTERM), 0 shards reassigned, 1 ready"
    `);
  });

  test("by their own will, with nothing to do, go at once", () => {
    begin(["A"]);
    script.join("B");
    script.leaves("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B: hello
        B <- welcome as worker-2
      B: ready
        report worker-2 joined, 2 ready
      B: leaving, it received SIGTERM
        B <- stop, left
        report worker-2 left (it received SIGTERM), 0 shards reassigned, 1 ready"
    `);
  });

  test("having dropped their work hand it to the others", () => {
    begin(["A", "B"]);
    script.says("B", {
      type: "leaving",
      session: script.session("B"),
      reason: "parameters were lost",
      finishing: false,
    });
    script.computes("A");
    script.transcript();
    script.join("C");
    script.says("A", {
      type: "leaving",
      session: script.session("A"),
      reason: "parameters were lost",
      finishing: false,
    });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "C: hello
        C <- welcome as worker-3
      C: ready
        report worker-3 joined, 2 ready
      A: leaving, parameters were lost
        A <- stop, left
        report worker-1 left (parameters were lost), 4 shards reassigned, 1 ready
        C <- assign step 1 shards 0,1,2,3 +dense +conv"
    `);
  });

  test("between their slices: only what is missing is computed again", () => {
    begin(["A"]);
    script.join("B");
    script.computes("A");
    script.transcript();
    // Both work on the second step, two shards each.
    script.sends("A", "dense");
    script.lost("A");
    script.computes("B");
    script.sends("B", "conv");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 1 dense 1/0
        accept dense 1/0
      A is lost: its connection was lost
        report worker-1 lost (its connection was lost), 2 shards reassigned, 1 ready
        B <- assign step 1 shards 0,1
      B: result step 1 dense 1/1
        accept dense 1/1
        apply dense of step 1
      B: result step 1 conv 1/1
        accept conv 1/1
      B: result step 1 conv 1/0
        accept conv 1/0
        apply conv of step 1
        commit step 1
        B <- averaged parameters 2 dense
        B <- averaged parameters 2 conv
        B <- evaluate version 2 chunks 0,1"
    `);
  });

  test("all of them: the step waits for the next one", () => {
    begin(["A", "B"], { minWorkers: 1 });
    script.sends("A", "dense");
    script.lost("A");
    script.lost("B");
    script.tick(12_000);
    script.join("C");
    script.sends("C", "conv");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2,3 +dense
      A is lost: its connection was lost
        report worker-1 lost (its connection was lost), 4 shards reassigned, 1 ready
        B <- assign step 0 shards 0,1,2,3 +dense +conv
      B is lost: its connection was lost
        report worker-2 lost (its connection was lost), 4 shards reassigned, 0 ready
      tick at 12000 ms
        report waiting for 1 workers, 0 ready, 12000 ms so far
      C: hello
        C <- welcome as worker-3
      C: ready
        report worker-3 joined, 1 ready
        C <- assign step 0 shards 0,1,2,3 +dense +conv
      C: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        commit step 0
        begin step 1, 4 shards
        C <- assign step 1 shards 0,1,2,3 +dense +conv"
    `);
  });

  test("below the minimum: what is being computed counts, nothing new is given out", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.lost("B");
    script.computes("A");
    script.join("C");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B is lost: its connection was lost
        report worker-2 lost (its connection was lost), 2 shards reassigned, 1 ready
      A: result step 0 dense 1/0
        accept dense 1/0
      A: result step 0 conv 1/0
        accept conv 1/0
      C: hello
        C <- welcome as worker-3
      C: ready
        report worker-3 joined, 2 ready
        A <- assign step 0 shards 2
        C <- assign step 0 shards 3 +dense +conv"
    `);
  });

  test("while evaluating: their chunks are counted by others, once each", () => {
    begin(["A", "B"], { minWorkers: 1, stepsPerEpoch: 1, evaluationChunks: 4 });
    script.computes("A");
    script.transcript();
    const stale = script.session("A");
    script.lost("A");
    script.says("A", { type: "evaluated", session: stale, version: 1, chunk: 0, correct: 99 });
    script.evaluates("B", 10);
    script.evaluates("B", 10);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A is lost: its connection was lost
        report worker-1 lost (its connection was lost), 0 shards reassigned, 1 ready
      A: evaluated version 1 chunk 0: 99 correct
        reject unknown-session
        A <- rejected, unknown-session
      B: evaluated version 1 chunk 1: 10 correct
        B <- evaluate version 1 chunks 0,2,3
      B: evaluated version 1 chunk 0: 10 correct
      B: evaluated version 1 chunk 2: 10 correct
      B: evaluated version 1 chunk 3: 10 correct
        epoch 0 evaluated: 40 correct
        B <- stop, done
        finish: done"
    `);
  });

  test("with their process, when it ends", () => {
    begin([]);
    script.hello("A", { pid: 7 });
    script.ready("A");
    script.hello("B", { pid: 8 });
    script.ready("B");
    script.transcript();
    script.play({ type: "process-exited", pid: 7, reason: "its process exited with code 1" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "process 7 exited
        report worker-1 lost (its process exited with code 1), 4 shards reassigned, 1 ready
        B <- assign step 0 shards 0,1,2,3 +dense +conv"
    `);
  });

  test("because their engine failed", () => {
    begin(["A", "B"]);
    script.says("A", { type: "failed", session: script.session("A"), message: "out of memory", stack: "" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: failed, out of memory
        report warning: worker-1 failed: out of memory
        report worker-1 lost (failed: out of memory), 4 shards reassigned, 1 ready
        B <- assign step 0 shards 0,1,2,3 +dense +conv"
    `);
  });
});
