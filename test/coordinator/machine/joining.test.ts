import { describe, expect, test } from "vitest";
import type { Plan } from "../../../src/coordinator/machine/types.ts";
import { LIMITS } from "../../../src/shared/protocol/messages.ts";
import { CoordinatorScript, helloOf } from "../../support/coordinator-script.ts";

let script: CoordinatorScript;

/** Starts with these workers ready; what was said until then is not part of the scene. */
function begin(peers: readonly string[], changes: Partial<Plan> = {}): void {
  script = new CoordinatorScript(changes);
  script.join(...peers);
  script.transcript();
}

describe("workers that come", () => {
  test("during a step are given work with the next one", () => {
    begin(["A"]);
    script.join("B");
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B: hello
        B <- welcome as worker-2
      B: ready
        report worker-2 joined, 2 ready
      A: result step 0 dense 2/0
        accept dense 2/0
        apply dense of step 0
        A <- assign step 1 shards 0,1 +dense
        B <- assign step 1 shards 2,3 +dense
      A: result step 0 conv 2/0
        accept conv 2/0
        apply conv of step 0
        A <- parameters 1 conv
        B <- parameters 1 conv
        commit step 0
        begin step 1, 4 shards"
    `);
  });

  test("while others are missing wait for them", () => {
    script = new CoordinatorScript({ minWorkers: 2 });
    script.join("A");
    script.tick(9_999);
    script.tick(1);
    script.hello("B");
    script.ready("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "start
        begin step 0, 4 shards
      A: hello
        A <- welcome as worker-1
      A: ready
        report worker-1 joined, 1 ready
      tick at 9999 ms
        A <- ping
      tick at 10000 ms
        report waiting for 2 workers, 1 ready, 10000 ms so far
      B: hello
        B <- welcome as worker-2
      B: ready
        report worker-2 joined, 2 ready
        A <- assign step 0 shards 0,1 +dense +conv
        B <- assign step 0 shards 2,3 +dense +conv"
    `);
  });

  test("and greet twice keep their session, and their work", () => {
    begin(["A"]);
    script.hello("A");
    script.ready("A");
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: hello
        A <- welcome as worker-1
      A: ready
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

  test("again over another connection, with the same incarnation, replace their earlier selves", () => {
    begin(["A", "B"], { minWorkers: 2 });
    script.hello("A2", { incarnation: "incarnation of A" });
    script.ready("A2");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A2: hello
        report worker-1 lost (its connection was lost and it has connected again), 2 shards reassigned, 1 ready
        A2 <- welcome as worker-3
      A2: ready
        report worker-3 joined, 2 ready
        A2 <- assign step 0 shards 0,1 +dense +conv"
    `);
  });

  test("again over the same connection as another incarnation begin anew", () => {
    begin(["A"]);
    script.hello("A", { incarnation: "another" });
    script.ready("A");
    script.computes("A");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "A: hello
        report worker-1 lost (its connection was lost and it has connected again), 4 shards reassigned, 0 ready
        A <- welcome as worker-2
      A: ready
        report worker-2 joined, 1 ready
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
        begin step 1, 4 shards"
    `);
  });

  test.each([
    ["protocol-version", { protocol: 99 }],
    ["model", { modelDigest: "0".repeat(64) }],
    ["data", { dataDigest: "0".repeat(64) }],
  ])("and do not agree with the run are refused: %s", (code, changes) => {
    begin([]);
    script.hello("A", changes);
    expect(script.transcript()).toMatch(
      new RegExp(`^A: hello\n  A <- rejected, ${code}\n  report warning: refused the worker on here \\(pid 1\\): .*$`),
    );
  });

  test("with another engine are reported once", () => {
    begin(["A"]);
    for (const peer of ["B", "C"]) {
      script.hello(peer, { engine: "reference" });
      script.ready(peer);
    }
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B: hello
        B <- welcome as worker-2
      B: ready
        report worker-2 joined, 2 ready
        report warning: engines are mixed (wasm, reference): the weights now depend, within rounding, on which worker computes what
      C: hello
        C <- welcome as worker-3
      C: ready
        report worker-3 joined, 3 ready"
    `);
  });

  test.each([
    [
      "device",
      { device: "NVIDIA T4" },
      "devices are mixed (NVIDIA H100, TF 2, driver 550; NVIDIA T4, TF 2, driver 550)",
    ],
    [
      "library",
      { runtime: "TF 3" },
      "devices are mixed (NVIDIA H100, TF 2, driver 550; NVIDIA H100, TF 3, driver 550)",
    ],
    ["driver", { driver: "551" }, "devices are mixed (NVIDIA H100, TF 2, driver 550; NVIDIA H100, TF 2, driver 551)"],
    ["engine", { engine: "webgpu", device: "cpu" }, "engines are mixed (tensorflow, webgpu)"],
  ])("with another %s, on which their numbers depend, are reported once", (_, changes, what) => {
    begin([]);
    const first = { engine: "tensorflow", device: "NVIDIA H100", runtime: "TF 2", driver: "550" };
    const hellos = [first, first, { ...first, ...changes }, { ...first, ...changes }, first];
    for (const [i, hello] of hellos.entries()) {
      script.hello(`${i}`, hello);
      script.ready(`${i}`);
    }
    const warnings = script.transcript().match(/warning: .*/g);
    expect(warnings).toEqual([
      `warning: ${what}: the weights now depend, within rounding, on which worker computes what`,
    ]);
  });

  test.each(["wasm", "reference"])("with engine %s may have any device: its numbers are the same on all", (engine) => {
    begin([]);
    for (const device of ["cpu", "another cpu"]) {
      script.hello(device, { engine, device });
      script.ready(device);
    }
    expect(script.transcript()).not.toContain("mixed");
  });

  test("after the end are sent away", () => {
    begin(["A"], { stepsPerEpoch: 1, evaluationChunks: 1 });
    script.computes("A");
    script.evaluates("A", 1);
    script.transcript();
    script.hello("B");
    expect(script.transcript()).toMatchInlineSnapshot(`
      "B: hello
        B <- rejected, stopping"
    `);
  });
});

describe("waiting", () => {
  test("too long for enough workers ends the run", () => {
    script = new CoordinatorScript({ minWorkers: 2, joinTimeoutMs: 20_000 });
    script.join("A");
    script.transcript();
    for (let i = 0; i < 4; i++) script.tick(5_000);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 5000 ms
        A <- ping
      tick at 10000 ms
        A <- ping
        report waiting for 2 workers, 1 ready, 10000 ms so far
      tick at 15000 ms
        A <- ping
      tick at 20000 ms
        A <- ping
        A <- stop, not-enough-workers
        finish: not-enough-workers, only 1 of at least 2 workers were ready for 20 s"
    `);
  });

  test("is over when there are enough, and counted anew the next time", () => {
    script = new CoordinatorScript({ minWorkers: 1, joinTimeoutMs: 20_000 });
    script.tick(19_000);
    script.join("A");
    script.lost("A");
    script.tick(19_000);
    expect(script.state.phase.type).toBe("training");
    script.tick(1_000);
    expect(script.state.phase.type).toBe("finished");
  });
});

describe("more workers than may take part", () => {
  test("are told to wait, also those that never get ready, and come in when one has left", () => {
    begin([]);
    const greets = (peer: string): string | undefined => {
      const effects = script.play({ type: "message", peer, message: helloOf(peer), finite: true });
      return effects.map((effect) => (effect.type === "refuse" ? effect.message : effect.type)).join();
    };
    for (let i = 0; i < LIMITS.members; i++) expect(greets(`A${i}`)).toBe("welcome");
    for (let i = 0; i < 1_000; i++) expect(greets(`B${i}`)).toMatch(/^256 workers take part already/);
    expect(script.state.members.size).toBe(LIMITS.members);
    // One that comes back takes its own place.
    expect(greets("A7")).toBe("welcome");
    script.play({ type: "peer-lost", peer: "A3", reason: "its connection was lost" });
    expect(greets("B1")).toBe("welcome");
    expect(greets("B2")).toMatch(/^256 workers/);
  });
});
