import { beforeEach, describe, expect, test } from "vitest";
import { WorkerScript } from "../../support/worker-script.ts";

let script: WorkerScript;
beforeEach(() => {
  script = new WorkerScript();
  script.transcript();
});

describe("parameters", () => {
  beforeEach(() => script.join());

  test("of two versions are held side by side, even and odd", () => {
    for (const version of [4, 5]) script.parameters(version);
    script.done(script.assign(4));
    script.done(script.assign(5));
    script.transcript();
    script.parameters(6);
    script.done(script.assign(5));
    script.assign(6);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- parameters 6 dense
        keep version 6 dense
      <- parameters 6 conv
        keep version 6 conv
      <- assign step 5
        run step 5
      computed
      done: step 5
      <- assign step 6
        run step 6"
    `);
  });

  test.each([
    ["without any parameters", 0, []],
    ["with parameters of another version", 2, [0]],
  ] as const)("work %s makes the worker join again", (_, step, sent) => {
    for (const version of sent) script.parameters(version);
    script.transcript();
    script.assign(step);
    expect(script.transcript()).toBe(
      [
        `<- assign step ${step}`,
        `  say: joining again: work on version ${step} came without its parameters`,
        `  -> leaving c/1, work on version ${step} came without its parameters`,
        "  -> hello",
      ].join("\n"),
    );
  });

  test("come along with an assignment", () => {
    script.assign(0, script.session, ["dense", "conv"]);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- assign step 0
        keep version 0 dense
        keep version 0 conv
        run step 0"
    `);
  });

  test("work assigned ahead is begun when the last of its parameters are here, and got ready for until then", () => {
    script.parameters(0);
    const first = script.assign(0);
    script.assign(1, script.session, ["dense"]);
    script.transcript();
    script.done(first);
    script.hears({ type: "ping", session: script.session, step: 0, id: 1 });
    script.parameters(1, ["conv"]);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "computed
      done: step 0
        anticipate step 1
      <- ping
        -> pong, 1 computed
      <- parameters 1 conv
        keep version 1 conv
        run step 1"
    `);
  });

  test("work that is assigned while that waits is done first, if it can be", () => {
    script.parameters(0);
    const first = script.assign(0);
    script.assign(1, script.session, ["dense"]);
    script.done(first);
    script.transcript();
    const again = script.assign(0);
    script.parameters(1, ["conv"]);
    script.done(again);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- assign step 0
        run step 0
      <- parameters 1 conv
        keep version 1 conv
      computed
      done: step 0
        run step 1"
    `);
  });

  test("that were lost on the way make the worker join again, once a ping shows it", () => {
    script.assign(1, script.session, ["dense"]);
    script.transcript();
    script.hears({ type: "ping", session: script.session, step: 0, id: 1 });
    script.hears({ type: "ping", session: script.session, step: 1, id: 1 });
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- ping
        -> pong, 0 computed
      <- ping
        say: joining again: parameters of version 1 were lost
        -> leaving c/1, parameters of version 1 were lost
        -> hello"
    `);
  });

  test("that come late do not replace newer ones, and late work is not done", () => {
    script.parameters(2);
    script.parameters(0);
    script.transcript();
    script.parameters(0);
    script.assign(0);
    script.assign(2);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- parameters 0 dense
      <- parameters 0 conv
      <- assign step 0
      <- assign step 2
        run step 2"
    `);
  });

  test("of another session are not kept", () => {
    script.hears({ type: "parameters", session: "b/1", version: 0, slice: "dense", averaged: false });
    expect(script.transcript()).toBe("<- parameters 0 dense");
  });
});

describe("tasks", () => {
  beforeEach(() => {
    script.join();
    script.parameters(0);
    script.transcript();
  });

  test("are run one after another, in order", () => {
    const [first, second] = [script.assign(0), script.assign(0)];
    script.done(second);
    script.done(first);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- assign step 0
        run step 0
      <- assign step 0
      computed
      done: step 0
      computed
      done: step 0
        run step 0"
    `);
  });

  test("that were cancelled and end later do not start the next one", () => {
    const old = script.assign(0);
    script.welcome("c/2");
    script.play({ type: "prepared" });
    script.parameters(0);
    const [next] = [script.assign(0), script.assign(0)];
    script.transcript();
    script.play({ type: "task-done", task: old });
    expect(script.transcript()).toBe("done: step 0");
    script.play({ type: "task-done", task: next });
    expect(script.transcript()).toBe("done: step 0\n  run step 0");
  });

  test("of another session are not run", () => {
    script.assign(0, "b/1");
    expect(script.transcript()).toBe("<- assign step 0");
  });

  test("are counted, and told with each pong", () => {
    script.play({ type: "computed" });
    script.play({ type: "computed" });
    script.hears({ type: "ping", session: script.session, step: 0, id: 1 });
    expect(script.transcript()).toContain("-> pong, 2 computed");
  });

  test("that come twice while they wait are done once", () => {
    const first = script.assign(0);
    const second = script.assign(0);
    script.hears(structuredClone(second));
    script.done(first);
    script.transcript();
    script.done(second);
    expect(script.transcript()).toBe("computed\ndone: step 0");
  });

  test("that come again while they are done are done again: the numbers may not have been finite", () => {
    const task = script.assign(0);
    script.hears(structuredClone(task));
    script.transcript();
    script.done(task);
    expect(script.transcript()).toBe("computed\ndone: step 0\n  run step 0");
  });

  test("that others have done meanwhile are dropped", () => {
    const running = script.assign(0);
    script.assign(0);
    script.assign(1, script.session, ["dense", "conv"]);
    script.transcript();
    script.assign(2, script.session, ["dense"]);
    expect(script.transcript()).toMatchInlineSnapshot(`
      "<- assign step 2
        cancel step 0
        keep version 2 dense
        run step 1"
    `);
    script.play({ type: "task-done", task: running });
    expect(script.transcript()).toBe("done: step 0");
  });

  test("are idle to the coordinator only when all are done", () => {
    const pong = () => script.hears({ type: "ping", session: script.session, step: 0, id: 9 }).at(-1);
    expect(pong()).toMatchObject({ message: { type: "pong", id: 9, ready: true, idle: true } });
    const task = script.assign(0);
    expect(pong()).toMatchObject({ message: { idle: false } });
    // Work of the next step is not what the ping is about.
    script.assign(1, script.session, ["dense"]);
    script.done(task);
    expect(pong()).toMatchObject({ message: { idle: true } });
  });
});
