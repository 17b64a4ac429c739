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

describe("an interrupt", () => {
  test("while a step is computed lets it finish", () => {
    begin(["A"]);
    script.sends("A", "dense");
    script.interrupt();
    script.interrupt("SIGTERM");
    script.sends("A", "conv");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1,2,3 +dense
      interrupt by SIGINT
      interrupt by SIGTERM
      A: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        commit step 0
        A <- stop, interrupted
        finish: interrupted, SIGINT"
    `);
  });

  test("while evaluating ends the run at once", () => {
    begin(["A"], { stepsPerEpoch: 1 });
    script.computes("A");
    script.transcript();
    script.interrupt("SIGTERM");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "interrupt by SIGTERM
        A <- stop, interrupted
        finish: interrupted, SIGTERM"
    `);
  });

  test("while nobody works ends the run at once", () => {
    begin([]);
    script.interrupt();
    expect(script.transcript()).toMatchInlineSnapshot(`
      "interrupt by SIGINT
        finish: interrupted, SIGINT"
    `);
  });

  test("when the last worker then goes ends the run without the step", () => {
    begin(["A"]);
    script.interrupt();
    script.lost("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "interrupt by SIGINT
      A is lost: its connection was lost
        report worker-1 lost (its connection was lost), 4 shards reassigned, 0 ready
        finish: interrupted, SIGINT"
    `);
  });

  test("lets a lost worker's part of the step be computed by others first", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.interrupt();
    script.lost("A");
    script.join("C");
    script.computes("C");
    script.computes("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "interrupt by SIGINT
      A is lost: its connection was lost
        report worker-1 lost (its connection was lost), 2 shards reassigned, 1 ready
      C: hello
        C <- welcome as worker-3
      C: ready
        report worker-3 joined, 2 ready
        C <- assign step 0 shards 0,1 +dense +conv
      C: result step 0 dense 1/0
        accept dense 1/0
      C: result step 0 conv 1/0
        accept conv 1/0
      B: result step 0 dense 1/1
        accept dense 1/1
        apply dense of step 0
      B: result step 0 conv 1/1
        accept conv 1/1
        apply conv of step 0
        commit step 0
        B <- stop, interrupted
        C <- stop, interrupted
        finish: interrupted, SIGINT"
    `);
  });

  test("by whoever starts the workers ends the run at once, and tells them", () => {
    begin(["A"]);
    script.play({ type: "give-up", message: "no worker can be kept alive" });
    script.play({ type: "give-up", message: "again" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "give up: no worker can be kept alive
        A <- stop, not-enough-workers
        finish: not-enough-workers, no worker can be kept alive
      give up: again"
    `);
  });

  test("after the end changes nothing", () => {
    begin([]);
    script.interrupt();
    script.transcript();
    script.interrupt();
    expect(script.transcript()).toBe("interrupt by SIGINT");
  });
});
