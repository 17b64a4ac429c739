import { beforeEach, describe, expect, test } from "vitest";
import { transition } from "../../../src/worker/machine/machine.ts";
import type { Task } from "../../../src/worker/machine/types.ts";
import { ADDRESS, WorkerScript } from "../../support/worker-script.ts";

let script: WorkerScript;
beforeEach(() => {
  script = new WorkerScript();
  script.transcript();
});

test("a whole run", () => {
  script = new WorkerScript();
  script.welcome();
  script.play({ type: "prepared" });
  script.parameters(0);
  const first = script.assign(0);
  script.parameters(1, ["dense"]);
  script.done(first);
  script.parameters(1, ["conv"]);
  script.parameters(1, ["dense", "conv"], true);
  const chunks = [script.evaluate(1, 0), script.evaluate(1, 1)];
  for (const chunk of chunks) script.done(chunk);
  script.hears({ type: "stop", session: script.session, reason: "done" });
  expect(script.transcript()).toMatchInlineSnapshot(`
    "start
      -> hello
    <- welcome to c/1
      say: welcomed as worker-1, run run
      prepare
    prepared
      -> ready
    <- parameters 0 dense
      keep version 0 dense
    <- parameters 0 conv
      keep version 0 conv
    <- assign step 0
      run step 0
    <- parameters 1 dense
      keep version 1 dense
    computed
    done: step 0
    <- parameters 1 conv
      keep version 1 conv
    <- averaged parameters 1 dense
      keep averaged version 1 dense
    <- averaged parameters 1 conv
      keep averaged version 1 conv
    <- evaluate version 1 chunk 0
      run version 1 chunk 0
    <- evaluate version 1 chunk 1
    computed
    done: version 1 chunk 0
      run version 1 chunk 1
    computed
    done: version 1 chunk 1
    <- stop, done
      exit 0: the run is done"
  `);
});

describe("greeting", () => {
  test("is repeated with pauses that double up to a second", () => {
    const greetings: number[] = [];
    while (script.now < 5_000) if (script.tick(5).some(({ type }) => type === "greet")) greetings.push(script.now);
    const pauses = greetings.map((at, i) => at - (greetings[i - 1] ?? 0));
    expect(pauses).toEqual([25, 50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
  });

  test("stops with the welcome, as long as the coordinator is heard", () => {
    script.join();
    for (let i = 0; i < 10; i++) {
      expect(script.tick(1_000)).toEqual([]);
      script.hears({ type: "ping", session: script.session, step: 0, id: 1 });
    }
  });

  test("begins again after three seconds in which only pings of a session came whose welcome was lost", () => {
    script.join();
    for (let i = 0; i < 3; i++) {
      script.hears({ type: "ping", session: "c/2", step: 0, id: 1 + i });
      script.tick(1_000);
    }
    expect(script.transcript()).toContain("-> hello");
  });

  test("begins again after three seconds of silence, to see whether the coordinator still knows this worker", () => {
    script.join();
    script.tick(2_999);
    script.tick(1);
    script.tick(49);
    script.tick(1);
    script.welcome();
    expect(script.transcript()).toMatchInlineSnapshot(`
      "tick at 2999 ms
      tick at 3000 ms
        -> hello
      tick at 3049 ms
        -> hello
      tick at 3050 ms
      <- welcome to c/1"
    `);
  });

  test("is answered by a welcome to another session: everything is forgotten", () => {
    script.join();
    script.parameters(0);
    script.assign(0);
    script.assign(0);
    script.transcript();
    script.welcome("d/1");
    script.parameters(0, ["dense"]);
    script.assign(0);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- welcome to d/1
        cancel step 0
        say: welcomed as worker-1, run run
        prepare
      <- parameters 0 dense
        keep version 0 dense
      <- assign step 0
        say: joining again: work on version 0 came without its parameters
        -> leaving d/1, work on version 0 came without its parameters
        -> hello"
    `);
  });
});

describe("the coordinator's silence", () => {
  test("ends the worker after the timeout, with advice", () => {
    script = new WorkerScript(10_000);
    script.tick(10_000);
    expect(script.state.ended).toBe(false);
    expect(script.tick(1)).toEqual([{ type: "exit", code: 1, text: expect.stringContaining(ADDRESS) as string }]);
  });

  test("does not count while this process was stopped", () => {
    script = new WorkerScript(10_000);
    script.tick(3_600_000, 3_599_000);
    expect(script.state.ended).toBe(false);
    script.tick(9_000);
    expect(script.state.ended).toBe(false);
    script.tick(1_000);
    expect(script.state.ended).toBe(true);
  });

  test("is counted from the last word to this worker, whatever it was", () => {
    script = new WorkerScript(10_000);
    script.tick(9_000);
    script.hears({ type: "rejected", code: "quarantined", message: "not yet" });
    script.tick(10_000);
    expect(script.state.ended).toBe(false);
    script.tick(1);
    expect(script.state.ended).toBe(true);
  });
});

describe("a rejection", () => {
  beforeEach(() => {
    script.join();
    script.parameters(0);
    script.assign(0);
    script.transcript();
  });

  test("because the session is not known: joins again", () => {
    script.hears({ type: "rejected", code: "unknown-session", message: "greet again" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- rejected, unknown-session
        cancel step 0
        say: joining again: greet again
        -> hello"
    `);
    expect(script.state).toMatchObject({ welcome: undefined, ready: false, running: undefined, computed: 0 });
  });

  test.each([
    ["stopping", 0],
    ["data", 4],
    ["model", 1],
    ["protocol-version", 1],
  ] as const)("because of %s ends the worker with code %i", (code, exitCode) => {
    const effects = script.hears({ type: "rejected", code, message: "the sentence" });
    const told =
      code === "stopping" ? [] : [{ event: "refused", text: expect.stringContaining("the sentence") as string }];
    expect(effects.filter(({ type }) => type === "note")).toMatchObject(told);
    expect(effects.slice(told.length).map(({ type }) => type)).toEqual(["cancel", "exit"]);
    expect(effects.at(-1)).toMatchObject({ code: exitCode, text: expect.stringContaining("the sentence") as string });
  });
});

describe("an end", () => {
  let first: Task;

  beforeEach(() => {
    script.join();
    script.parameters(0);
    first = script.assign(0);
    script.transcript();
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s says so and exits with code %i", (signal, code) => {
    script.play({ type: "signal", signal });
    expect(script.transcript()).toBe(
      `${signal}\n  note: leaving as soon as what it owes is done: it received ${signal}\n` +
        `  -> leaving c/1, it received ${signal}`,
    );
    // What is still on its way to it is owed as well.
    script.assign(0);
    script.tick(999);
    expect(script.transcript()).toBe("<- assign step 0\ntick at 999 ms");
    script.hears({ type: "stop", session: script.session, reason: "left" });
    expect(script.transcript()).toContain(`  exit ${code}: leaving: it received ${signal}`);
  });

  test("by a signal comes after what is owed", () => {
    const second = script.assign(0);
    script.assign(1, script.session, ["dense"]);
    script.play({ type: "signal", signal: "SIGTERM" });
    script.transcript();
    script.done(first);
    script.tick(900);
    script.hears({ type: "ping", session: script.session, step: 0, id: 3 });
    script.tick(900);
    script.done(second);
    script.hears({ type: "stop", session: script.session, reason: "left" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "computed
      done: step 0
        run step 0
      tick at 900 ms
      <- ping
        -> leaving c/1, it received SIGTERM
        -> pong, 1 computed
      tick at 1800 ms
      computed
      done: step 0
        anticipate step 1
      <- stop, left
        exit 143: leaving: it received SIGTERM"
    `);
  });

  test("by a signal comes after what is owed, though its parameters are still on their way", () => {
    script.assign(1, script.session, ["dense"]);
    script.play({ type: "signal", signal: "SIGTERM" });
    script.done(first);
    script.transcript();
    script.parameters(1, ["conv"]);
    expect(script.transcript()).toContain("  run step 1");
  });

  test("by a signal does not wait for what can never come", () => {
    script.play({ type: "signal", signal: "SIGTERM" });
    script.transcript();
    script.play({ type: "malformed", problem: "a frame is missing" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- something malformed
        -> leaving c/1, it received SIGTERM
        cancel step 0
        exit 143: leaving: it received SIGTERM"
    `);
  });

  test("by a signal does not wait for ever for an answer", () => {
    script.play({ type: "signal", signal: "SIGTERM" });
    script.transcript();
    script.tick(3_000);
    expect(script.transcript()).toContain("exit 143: leaving: it received SIGTERM");
  });

  test("by a signal does not wait longer since another session is pinged, whose welcome was lost", () => {
    script.play({ type: "signal", signal: "SIGTERM" });
    for (let i = 0; i < 10; i++) {
      script.hears({ type: "ping", session: "c/2", step: 0, id: 1 + i });
      script.tick(500);
    }
    expect(script.transcript()).toContain("exit 143: leaving: it received SIGTERM");
  });

  test("by an engine that fails is told to the coordinator", () => {
    script.play({ type: "failed", message: "out of memory", stack: "at x" });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "failed: out of memory
        note: out of memory
        -> failed, out of memory
        cancel step 0
        exit 1: out of memory"
    `);
  });

  test("of the run by something else than success is named", () => {
    script.hears({ type: "stop", session: script.session, reason: "diverged" });
    expect(script.transcript()).toContain("exit 0: the coordinator has ended the run: diverged");
  });

  test("is final", () => {
    script.hears({ type: "stop", session: script.session, reason: "done" });
    script.transcript();
    script.welcome("c/2");
    script.tick(100_000);
    expect(script.transcript()).toBe("<- welcome to c/2\ntick at 100000 ms");
  });

  test("before any welcome tells nobody", () => {
    script = new WorkerScript();
    script.transcript();
    script.play({ type: "signal", signal: "SIGTERM" });
    expect(script.transcript()).toBe("SIGTERM\n  exit 143: leaving: it received SIGTERM");
  });
});

test("a message that cannot be understood makes the worker join again", () => {
  script.join();
  script.play({ type: "malformed", problem: "the message is empty" });
  expect(script.transcript()).toMatchInlineSnapshot(`
    "<- something malformed
      say: joining again: a message could not be understood: the message is empty
      -> leaving c/1, a message could not be understood: the message is empty
      -> hello"
  `);
});

test("a stop of another session is not obeyed", () => {
  script.join();
  script.hears({ type: "stop", session: "b/1", reason: "done" });
  expect(script.state.ended).toBe(false);
});

test("a preparation that ends after the session did says nothing", () => {
  script.welcome();
  script.hears({ type: "rejected", code: "unknown-session", message: "greet again" });
  script.transcript();
  script.play({ type: "prepared" });
  expect(script.transcript()).toBe("prepared");
});

test("the same event on the same state gives the same answer, and leaves that state alone", () => {
  script.join();
  const before = structuredClone(script.state);
  const event = { type: "signal", signal: "SIGINT", at: 3 } as const;
  expect(transition(script.state, event)).toEqual(transition(script.state, event));
  expect(script.state).toEqual(before);
});

test("one that is not let in says why, and its last words say so again, unless it was welcome meanwhile", () => {
  const problem = "the coordinator at tcp://c:1 does not know this worker's key";
  script.play({ type: "not-let-in", problem });
  script.now = 61_000;
  script.play({ type: "tick", stoppedMs: 0 });
  expect(script.transcript()).toMatchInlineSnapshot(`
    "not-let-in
      say: the coordinator at tcp://c:1 does not know this worker's key
    tick at 61000 ms
      exit 1: no coordinator at ${ADDRESS} for 61 s: the coordinator at tcp://c:1 does not know this worker's key"
  `);
  script = new WorkerScript();
  script.play({ type: "not-let-in", problem });
  script.welcome();
  script.now = 61_000;
  script.play({ type: "tick", stoppedMs: 0 });
  expect(script.transcript()).toMatch(/exit 1: no coordinator at .* for 61 s: start one there/);
});
