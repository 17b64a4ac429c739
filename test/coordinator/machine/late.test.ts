import { describe, expect, test } from "vitest";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import { CoordinatorScript } from "../../support/coordinator-script.ts";

let script: CoordinatorScript;

/** Starts with these workers ready; what was said until then is not part of the scene. */
function begin(peers: readonly string[], changes: Partial<Plan> = {}): void {
  script = new CoordinatorScript({ stepsPerEpoch: 5, minWorkers: peers.length, ...changes });
  script.join(...peers);
  script.transcript();
}

describe("a worker that is late", () => {
  test("is helped by an idle one, and the first answer counts", () => {
    begin(["A", "B"]);
    script.computes("B");
    script.transcript();
    script.tick(1_001);
    script.computes("B");
    script.sends("A", "dense");
    script.sends("A", "conv");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 1001 ms
        report worker-late
        A <- ping
        B <- ping
        B <- assign step 0 shards 0,1
      B: result step 0 dense 1/0
        accept dense 1/0
        apply dense of step 0
        B <- assign step 1 shards 0,1,2,3 +dense
      B: result step 0 conv 1/0
        accept conv 1/0
        apply conv of step 0
        B <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards
      A: result step 0 dense 1/0
        reject stale-step
      A: result step 0 conv 1/0
        reject stale-step"
    `);
  });

  test("is helped as soon as somebody is idle", () => {
    begin(["A", "B"]);
    script.tick(900);
    script.pongs("B", { computed: 1 });
    script.tick(101);
    script.transcript();
    script.computes("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B: result step 0 dense 1/1
        accept dense 1/1
      B: result step 0 conv 1/1
        accept conv 1/1
        B <- assign step 0 shards 0,1"
    `);
  });

  test("may still be the first to answer", () => {
    begin(["A", "B"]);
    script.computes("B");
    script.tick(1_001);
    script.transcript();
    script.computes("A");
    script.computes("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0
        accept dense 1/0
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2,3 +dense
      A: result step 0 conv 1/0
        accept conv 1/0
        apply conv of step 0
        A <- parameters 1 conv
        B <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards
      B: result step 0 dense 1/0
        reject stale-step
      B: result step 0 conv 1/0
        reject stale-step"
    `);
  });

  test("gets nothing more to do until it is heard of", () => {
    begin(["A", "B"]);
    script.computes("B");
    script.tick(1_001);
    script.computes("B");
    script.transcript();
    script.computes("B");
    expect(script.transcript()).not.toContain("A <- assign");
    script.pongs("A", { computed: 1 });
    script.computes("B");
    expect(script.transcript()).toContain("A <- assign");
  });

  test("is given up in the end, though nobody waits for it any more", () => {
    begin(["A", "B"]);
    script.computes("B");
    script.tick(1_001);
    script.computes("B");
    script.tick(28_999);
    expect(script.state.members.has("A")).toBe(true);
    script.tick(1);
    expect(script.state.members.has("A")).toBe(false);
  });

  test("while there is nobody else keeps its work, and is not in the way of an interrupt", () => {
    begin(["A"]);
    script.tick(1_001);
    script.transcript();
    script.interrupt();
    expect(script.transcript()).toMatchInlineSnapshot(`
      "interrupt by SIGINT
        A <- stop, interrupted
        finish: interrupted, SIGINT"
    `);
  });

  test("is not the one that has taken so long before", () => {
    begin(["A", "B"]);
    script.computes("A", 2_000);
    script.computes("B", 2_000);
    script.tick(7_900);
    expect(script.transcript()).not.toContain("worker-late");
    script.tick(200);
    expect(script.transcript()).toContain("worker-late");
  });

  test("while an evaluation goes on is helped too", () => {
    begin(["A", "B"], { stepsPerEpoch: 1, evaluationChunks: 2 });
    script.computes("A");
    script.computes("B");
    script.evaluates("B", 10);
    script.transcript();
    script.tick(1_001);
    script.evaluates("B", 10);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 1001 ms
        A <- ping
        B <- ping
        B <- evaluate version 1 chunks 0
      B: evaluated version 1 chunk 0: 10 correct
        epoch 0 evaluated: 20 correct
        A <- stop, done
        B <- stop, done
        finish: done"
    `);
  });

  test("is not blamed for the time that the coordinator was stopped", () => {
    begin(["A", "B"]);
    script.tick(3_600_000, 3_599_000);
    expect(script.transcript()).not.toContain("worker-late");
    expect(script.state.members.size).toBe(2);
  });
});

describe("the first work", () => {
  test("may take minutes, since a device may compile its kernels", () => {
    begin(["A"], { firstWorkTimeoutMs: 600_000 });
    script.tick(600_000);
    expect(script.state.members.size).toBe(1);
    script.pongs("A", { computed: 1 });
    script.tick(30_001);
    expect(script.state.members.size).toBe(0);
  });
});

describe("a message that was lost", () => {
  test("is noticed by the pong of a worker that has nothing to do and yet owes", () => {
    begin(["A", "B"]);
    script.tick(200);
    script.transcript();
    script.pongs("A", { idle: true });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: pong, 0 computed
        A <- rejected, unknown-session
        report worker-1 lost (a message to it or from it was lost), 2 shards reassigned, 1 ready"
    `);
  });

  test("is not suspected where the ping was about the step before", () => {
    begin(["A", "B"]);
    script.computes("A");
    script.sends("B", "dense");
    // Both have work of the next step by now, and A nothing else to do.
    script.tick(1_000);
    script.sends("B", "conv");
    script.pongs("A", { idle: true });
    expect(script.state.members.size).toBe(2);
    script.tick(200);
    script.pongs("A", { idle: true });
    expect(script.state.members.size).toBe(1);
  });

  test("may have been the one that says that a worker is ready", () => {
    begin(["A"]);
    script.hello("B");
    script.tick(1_000);
    script.transcript();
    script.pongs("B", { ready: true, idle: true });
    expect(script.transcript()).toContain("worker-2 joined, 2 ready");
  });
});

describe("a place whose workers come and go", () => {
  /** Joins and is lost, soon after. */
  function flap(times: number): void {
    for (let i = 0; i < times; i++) {
      script.join("F");
      script.lost("F");
      script.tick(100);
    }
  }

  test("is not welcome for a while, longer each time", () => {
    begin(["A"]);
    flap(4);
    script.transcript();
    script.hello("F");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "F: hello
        F <- rejected, quarantined"
    `);
    script.tick(1_000);
    script.pongs("A", { computed: 1 });
    flap(1);
    script.tick(1_000);
    script.pongs("A", { computed: 2 });
    script.transcript();
    script.hello("F");
    expect(script.transcript()).toContain("F <- rejected, quarantined");
    script.tick(1_000);
    script.hello("F");
    expect(script.transcript()).toContain("F <- welcome");
  });

  test("is welcome where it is needed", () => {
    begin(["A"]);
    flap(10);
    script.lost("A");
    script.transcript();
    script.hello("F");
    expect(script.transcript()).toContain("F <- welcome");
  });

  test("is forgiven", () => {
    begin(["A"]);
    flap(3);
    script.tick(60_000);
    flap(1);
    script.hello("F");
    expect(script.transcript()).not.toContain("quarantined");
  });
});

describe("clipping", () => {
  test("applies no slice before all are complete, and gives nothing out ahead", () => {
    begin(["A"], { clipsGradient: true });
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 2/0
        accept dense 2/0
      A: result step 0 conv 2/0
        accept conv 2/0
        apply dense of step 0
        apply conv of step 0
        commit step 0
        begin step 1, 4 shards
        A <- assign step 1 shards 0,1,2,3 +dense +conv"
    `);
  });
});
