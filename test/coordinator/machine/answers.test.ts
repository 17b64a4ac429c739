import { beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import type { WorkerMessage } from "../../../src/shared/protocol/messages.ts";
import { CoordinatorScript } from "../../support/coordinator-script.ts";
import { NO_TIME } from "../../support/messages.ts";

type Result = Extract<WorkerMessage, { type: "result" }>;

let script: CoordinatorScript;

/** Starts with these workers ready; what was said until then is not part of the scene. */
function begin(peers: readonly string[], changes: Partial<Plan> = {}): void {
  script = new CoordinatorScript(changes);
  script.join(...peers);
  script.transcript();
}

describe("answers that must not count", () => {
  beforeEach(() => begin(["A", "B"], { minWorkers: 2 }));

  const result = (step: number, shards: readonly number[], peer = "A"): Result => {
    const session = script.session(peer);
    return { type: "result", session, step, slice: "dense", spent: NO_TIME, nodes: script.nodes(step, shards) };
  };

  test.each<[string, () => void, string]>([
    ["of a later step", () => script.says("A", result(1, [0])), "stale-step"],
    ["of a foreign session", () => script.says("A", { ...result(0, [0]), session: "x/1" }), "stale-session"],
    ["of another worker's session", () => script.says("A", result(0, [0], "B")), "stale-session"],
    ["of a stranger", () => script.says("Z", result(0, [0])), "unknown-session"],
    ["for shards that another owns", () => script.says("A", result(0, [2])), "not-owed"],
    [
      "for a shard that does not exist",
      () => script.says("A", { ...result(0, [0]), nodes: [{ level: 0, index: 4 }] }),
      "not-owed",
    ],
    [
      "for a level that does not exist",
      () => script.says("A", { ...result(0, [0]), nodes: [{ level: 3, index: 0 }] }),
      "not-owed",
    ],
    [
      "that cannot be read, from nobody",
      () => script.play({ type: "malformed", peer: "Z", problem: "?" }),
      "malformed",
    ],
    [
      "to a question that was not asked",
      () => script.says("A", { type: "evaluated", session: script.session("A"), version: 0, chunk: 0, correct: 1 }),
      "stale-step",
    ],
  ])("%s", (_, act, reason) => {
    const before = script.state;
    act();
    expect(script.transcript()).toMatch(new RegExp(`^.*\n  reject ${reason}(\n  Z <- rejected, unknown-session)?$`));
    expect(script.state).toEqual(before);
  });

  test("that cannot be read: the member is given up, since no other answer is to come", () => {
    script.play({ type: "malformed", peer: "A", problem: "malformed message: the message is empty" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: something malformed
        reject malformed
        A <- rejected, unknown-session
        report worker-1 lost (malformed message: the message is empty), 2 shards reassigned, 1 ready"
    `);
    expect(script.state.members.has("A")).toBe(false);
  });

  test("of an earlier step, and twice", () => {
    const dense = result(0, [0, 1]);
    script.says("A", dense);
    script.says("A", dense);
    script.says("A", { ...dense, slice: "conv" });
    script.computes("B");
    script.transcript();
    script.says("A", dense);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0
        reject stale-step"
    `);
  });

  test("for its own and another's shards cannot be used: its own are given out again", () => {
    script.says("A", result(0, [0, 1, 2]));
    script.says("A", result(0, [0, 1]));
    script.computes("B");
    script.says("A", { ...result(0, [1]), nodes: [...script.nodes(0, [0]), ...script.nodes(0, [0])] });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0 0/2
        reject not-owed
        A <- assign step 0 shards 0,1
      A: result step 0 dense 1/0
        accept dense 1/0
      B: result step 0 dense 1/1
        accept dense 1/1
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2,3 +dense
      B: result step 0 conv 1/1
        accept conv 1/1
      A: result step 0 dense 0/0 0/0
        reject not-owed"
    `);
  });

  test("for part of what was asked counts, the rest can follow", () => {
    script.says("A", result(0, [1]));
    script.says("A", result(0, [0]));
    script.says("A", result(0, [0, 1]));
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 0/1
        accept dense 0/1
      A: result step 0 dense 0/0
        accept dense 0/0
      A: result step 0 dense 1/0
        reject duplicate"
    `);
  });
});

describe("numbers that are not finite", () => {
  test("once: computed again by another worker", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.sends("A", "dense", false);
    script.sends("A", "conv", false);
    script.computes("B");
    script.computes("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0 (not finite)
        reject not-finite
        report warning: worker-1 computed a gradient that is not finite at step 1: computing it again
        B <- assign step 0 shards 0,1
      A: result step 0 conv 1/0 (not finite)
        reject not-owed
      B: result step 0 dense 1/1
        accept dense 1/1
      B: result step 0 conv 1/1
        accept conv 1/1
      B: result step 0 dense 1/0
        accept dense 1/0
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2,3 +dense
      B: result step 0 conv 1/0
        accept conv 1/0
        apply conv of step 0
        A <- parameters 1 conv
        B <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards"
    `);
  });

  test("once, in both slices, by the only worker: computed again by itself", () => {
    begin(["A"]);
    script.sends("A", "dense", false);
    script.sends("A", "conv", false);
    // Another may be about to join.
    script.tick(5_001);
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 2/0 (not finite)
        reject not-finite
        report warning: worker-1 computed a gradient that is not finite at step 1: computing it again
      A: result step 0 conv 2/0 (not finite)
        reject not-owed
      tick at 5001 ms
        A <- ping
        A <- assign step 0 shards 0,1,2,3
      A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1,2,3 +dense
      A: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        A <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards"
    `);
  });

  test("once, by the only one that is not late: not given back to it while the other may come", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.sends("A", "dense", false);
    script.tick(1_001);
    script.computes("B");
    script.transcript();
    script.tick(2_000);
    expect(script.transcript()).not.toContain("A <- assign");
  });

  test("twice, since the message came twice: the only worker is not given the shard again so soon", () => {
    begin(["A"]);
    script.tick(6_000);
    const [session, nodes] = [script.session("A"), script.nodes(0, [0, 1, 2, 3])];
    const bad = { type: "result", session, step: 0, slice: "dense", spent: NO_TIME, nodes } as const;
    script.says("A", bad, false);
    script.says("A", bad, false);
    expect(script.transcript()).not.toContain("diverged");
    script.tick(1_001);
    expect(script.transcript()).toContain("A <- assign step 0 shards 0,1,2,3");
  });

  test("twice for a shard: the run ends as diverged", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.sends("A", "dense", false);
    script.sends("B", "dense");
    script.sends("B", "dense", false);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 1/0 (not finite)
        reject not-finite
        report warning: worker-1 computed a gradient that is not finite at step 1: computing it again
        B <- assign step 0 shards 0,1
      B: result step 0 dense 1/1
        accept dense 1/1
      B: result step 0 dense 1/0 (not finite)
        reject not-finite
        A <- stop, diverged
        B <- stop, diverged
        finish: diverged, the gradient of step 1 is not finite (computed by worker-1 and worker-2): the training has diverged; try a smaller --lr"
    `);
  });
});
