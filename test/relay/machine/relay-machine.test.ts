import { beforeEach, describe, expect, test } from "vitest";
import type { CoordinatorMessage } from "../../../src/shared/protocol/messages.ts";
import { answered, forwarded, given, RelayScript, told } from "./relay-script.ts";

let relay: RelayScript;
beforeEach(() => {
  relay = new RelayScript();
});

const types = (messages: readonly { readonly type: string }[]): string[] => messages.map(({ type }) => type);

describe("joining", () => {
  test("it greets once somebody below has, as that one, and is ready once somebody below is", () => {
    expect(relay.pass(2_000)).toEqual([]);
    const [greeting] = relay.greets("A", { engine: "tensorflow", device: "H100", runtime: "TensorFlow 2.18" });
    expect(greeting).toMatchObject({
      type: "greet",
      identity: { engine: "tensorflow", device: "H100", runtime: "TensorFlow 2.18" },
    });
    expect(told(relay.greets("B"), "B"), "there is no run yet to welcome it to").toEqual([]);
    const effects = relay.welcome();
    expect(told(effects, "A")).toMatchObject([{ type: "welcome", name: "worker-7.1", runId: "runs/a", shardSize: 1 }]);
    expect(told(effects, "B")).toMatchObject([{ type: "welcome", name: "worker-7.2" }]);
    expect(relay.sessionOf("A")).not.toBe(relay.sessionOf("B"));
    expect(answered(relay.readies("B"))).toEqual([{ type: "ready", session: "c/1" }]);
    expect(answered(relay.readies("A"))).toEqual([]);
  });

  test("one with other data than the first, another model or another protocol is refused", () => {
    relay.greets("A");
    const codes = [
      relay.greets("B", { dataDigest: "0".repeat(64) }),
      relay.greets("B", { modelDigest: "0".repeat(64) }),
      relay.greets("B", { protocol: 1 }),
    ].flatMap((effects) => told(effects, "B"));
    expect(codes).toMatchObject([{ code: "data" }, { code: "model" }, { code: "protocol-version" }]);
    expect([...relay.state.members.keys()]).toEqual(["A"]);
  });

  test("where the coordinator has other data, those below are told, and others may come", () => {
    relay.greets("A");
    const refusal = { type: "rejected", code: "data", message: "start the worker with --data" } as const;
    expect(told(relay.told(refusal), "A")).toEqual([refusal]);
    expect(relay.state.ended).toBe(false);
    expect(relay.greets("B", { dataDigest: "0".repeat(64) })).toMatchObject([{ type: "greet" }]);
  });

  test("it gives up when nobody comes, and when nobody is above", () => {
    relay.pass(600_000);
    expect(relay.state.ended).toBe(true);
    relay = new RelayScript();
    relay.greets("A");
    const effects = relay.pass(61_000);
    expect(effects.at(-1)).toMatchObject({
      type: "exit",
      code: 1,
      text: expect.stringMatching(/no coordinator/) as string,
    });
    expect(told(effects, "A").at(-1), "it may find another relay there").toMatchObject({ code: "unknown-session" });
  });

  test("a coordinator that has come anew is followed: all below are welcomed anew, and old work is forgotten", () => {
    relay.ready("A");
    relay.assign(0, [0, 1]);
    const before = relay.sessionOf("A");
    const effects = relay.welcome("c/2");
    expect(told(effects, "A")).toMatchObject([{ type: "welcome" }]);
    expect(effects).toContainEqual({ type: "close-task", task: 1 });
    expect(relay.sessionOf("A")).not.toBe(before);
    expect(answered(relay.readies("A"))).toEqual([{ type: "ready", session: "c/2" }]);
  });
});

test("a coordinator that has come anew may go on from an earlier step", () => {
  relay.ready("A");
  relay.assign(40, [0, 1]);
  relay.welcome("c/2");
  relay.readies("A");
  const shards = [{ index: 0, count: 1 }];
  const order = { type: "assign", epoch: 0, shardCount: 8, globalCount: 8, slices: ["dense", "conv"] } as const;
  const effects = relay.told({ ...order, slices: [...order.slices], session: "c/2", step: 2, shards });
  expect(given(effects)).toEqual(["A: 0"]);
});

test("one that connects anew takes the place of its former self, whose shards are given out again", () => {
  relay.ready("A", "B");
  relay.assign(0, [0, 1]);
  const effects = relay.greets("A2", { incarnation: "A" });
  expect(given(effects)).toEqual(["B: 0"]);
  expect([...relay.state.members.keys()]).toEqual(["B", "A2"]);
});

describe("a step", () => {
  test("is shared out in runs, and each slice is passed on once all its sums are there", () => {
    relay.ready("A", "B");
    expect(given(relay.assign(0, [2, 3, 4, 5]))).toEqual(["A: 2 3", "B: 4 5"]);
    expect(forwarded(relay.result("A", 0, "dense", [2, 3]))).toEqual([]);
    expect(forwarded(relay.result("B", 0, "dense", [4, 5]))).toEqual(["step 0 dense"]);
    expect(forwarded(relay.result("B", 0, "conv", [4, 5]))).toEqual([]);
    expect(forwarded(relay.result("A", 0, "conv", [2, 3]))).toEqual(["step 0 conv"]);
    expect(relay.state.tasks).toEqual([]);
  });

  test("ahead of time is shared out with what is there of its parameters; the rest follows to those who have it", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1]);
    const ahead = relay.assign(1, [0, 1], ["dense"]);
    expect(given(ahead)).toEqual(["A: 0", "B: 1"]);
    const slices = ahead.flatMap((effect) => (effect.type === "send-assignment" ? [effect.message.slices] : []));
    expect(slices).toEqual([["dense"], ["dense"]]);
    const rest = relay.told({ type: "parameters", session: "c/1", version: 1, slice: "conv", averaged: false });
    const sent = rest.flatMap((effect) => (effect.type === "send-parameters" ? [effect.peer] : []));
    expect(sent).toEqual(["A", "B"]);
  });

  test("what took many at the same time counts as the time it took, for the coordinator's shares", () => {
    relay.ready("A", "B");
    relay.now = 1_000;
    relay.assign(0, [0, 1, 2, 3]);
    relay.now = 1_080;
    relay.results("A", 0, [0, 1]);
    relay.now = 1_100;
    const last = relay.results("B", 0, [2, 3]).find(({ type }) => type === "forward");
    expect(last).toMatchObject({ spent: { wait: 1_000_000, gather: 0, compute: 100_000, held: 100_000 } });
  });

  test("that comes when its parameters were replaced has been done by others, as has what is under way then", () => {
    relay.ready("A");
    relay.assign(1, [0]);
    expect(relay.assign(3, [0])).toContainEqual({ type: "close-task", task: 1 });
    expect(relay.assign(1, [1])).toEqual([]);
    expect(relay.state.tasks).toMatchObject([{ order: { step: 3 } }]);
  });

  test("a message that comes twice is not work twice; shards that were passed on and come again are", () => {
    relay.ready("A");
    relay.assign(0, [0, 1]);
    expect(given(relay.assign(0, [0, 1], []))).toEqual([]);
    relay.result("A", 0, "dense", [0, 1]);
    expect(given(relay.assign(0, [0, 1], []))).toEqual(["A: 0 1"]);
  });

  test.each([
    ["of another step", (each: RelayScript) => each.result("A", 5, "dense", [0, 1]), "stale-step"],
    ["of somebody else's shards", (each: RelayScript) => each.result("A", 0, "dense", [2, 3]), "not-owed"],
    ["of shards of nobody here", (each: RelayScript) => each.result("A", 0, "dense", [6]), "not-owed"],
    ["of its and others' shards", (each: RelayScript) => each.result("A", 0, "dense", [0, 1, 2, 3]), "not-owed"],
    ["of a stranger", (each: RelayScript) => each.result("Z", 0, "dense", [0, 1]), "unknown-session"],
  ])("an answer %s does not count", (_, play, reason) => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1, 2, 3]);
    const effects = play(relay);
    expect(effects).toContainEqual({ type: "reject", reason });
    expect(effects.some(({ type }) => type === "accept")).toBe(false);
  });

  test("an answer that comes twice counts once", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1, 2, 3]);
    relay.result("A", 0, "dense", [0, 1]);
    expect(relay.result("A", 0, "dense", [0, 1])).toEqual([{ type: "reject", reason: "duplicate" }]);
  });
});

describe("faults below", () => {
  test("a lost member's shards go to the others at once; what it has delivered stays", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1, 2, 3]);
    relay.result("A", 0, "dense", [0, 1]);
    expect(given(relay.play({ type: "peer-lost", peer: "A", reason: "gone" }))).toEqual(["B: 0 1"]);
    relay.results("B", 0, [2, 3]);
    expect(forwarded(relay.results("B", 0, [0, 1]))).toEqual(["step 0 conv"]);
  });

  test("a late member's shards are given to idle ones as well, and the first answer counts", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1, 2, 3]);
    relay.results("B", 0, [2, 3]);
    expect(given(relay.pass(1_100))).toEqual(["B: 0 1"]);
    expect(forwarded(relay.results("B", 0, [0, 1]))).toEqual(["step 0 dense", "step 0 conv"]);
    expect(relay.results("A", 0, [0, 1]).filter(({ type }) => type === "reject")).toHaveLength(2);
  });

  test("a number that is not finite is computed by another one, and passed on if that one says so too", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1, 2, 3]);
    relay.results("B", 0, [2, 3]);
    const effects = relay.result("A", 0, "dense", [0, 1], false);
    expect(effects).toContainEqual({ type: "reject", reason: "not-finite" });
    expect(given(effects)).toEqual(["B: 0 1"]);
    expect(forwarded(relay.result("B", 0, "dense", [0, 1], false))).toEqual(["step 0 dense"]);
  });

  test("without another one it is passed on at once: the coordinator is to judge it", () => {
    relay.ready("A");
    relay.assign(0, [0]);
    expect(forwarded(relay.result("A", 0, "dense", [0], false))).toEqual(["step 0 dense"]);
  });

  test("when all are gone it says so above, dropping its work, and is ready again when somebody is back", () => {
    relay.ready("A");
    relay.assign(0, [0, 1]);
    const effects = relay.play({ type: "peer-lost", peer: "A", reason: "gone" });
    expect(answered(effects)).toMatchObject([{ type: "leaving", session: "c/1", finishing: false }]);
    expect(effects.at(-1)).toMatchObject({ type: "greet" });
    relay.welcome("c/2");
    relay.greets("A2");
    expect(answered(relay.readies("A2"))).toEqual([{ type: "ready", session: "c/2" }]);
  });

  test("nonsense costs a member its membership, not the relay's", () => {
    relay.ready("A", "B");
    relay.assign(0, [0, 1]);
    const effects = relay.play({ type: "heard-malformed", peer: "A", problem: "nonsense" });
    expect(told(effects, "A")).toMatchObject([{ type: "rejected", code: "unknown-session" }]);
    expect(given(effects)).toEqual(["B: 0"]);
    expect(answered(effects)).toEqual([]);
  });
});

describe("what it says of itself", () => {
  const ping = { type: "ping", session: "c/1", step: 0, id: 1 } as const;

  test("is what those below have computed, and idle only once nothing is owed", () => {
    relay.ready("A", "B");
    expect(answered(relay.told(ping))).toMatchObject([{ type: "pong", computed: 0, ready: true, idle: true }]);
    relay.assign(0, [0, 1]);
    for (const [peer, computed] of [["A", 3] as const, ["B", 4] as const, ["B", 4] as const]) {
      relay.says(peer, { type: "pong", session: relay.sessionOf(peer), id: 1, computed, ready: true, idle: false });
    }
    relay.results("A", 0, [0]);
    expect(answered(relay.told(ping))).toMatchObject([{ computed: 7, idle: false }]);
    relay.results("B", 0, [1]);
    expect(answered(relay.told(ping))).toMatchObject([{ computed: 7, idle: true }]);
  });

  test("is a farewell where parameters were lost that its work needs", () => {
    relay.ready("A");
    relay.assign(1, [0], ["dense"]);
    expect(types(answered(relay.told({ ...ping, step: 1 })))).toEqual(["leaving"]);
  });
});

describe("an evaluation", () => {
  const evaluate = (chunk: number): CoordinatorMessage => ({
    ...{ type: "evaluate", session: "c/1", version: 4, images: "test" },
    ...{ chunk, first: chunk * 250, count: 250 },
  });

  test("goes to those below in chunks, a few at a time, and their counts come back", () => {
    relay.ready("A", "B");
    for (const slice of ["dense", "conv"] as const) {
      relay.told({ type: "parameters", session: "c/1", version: 4, slice, averaged: true });
    }
    const effects = Array.from({ length: 6 }, (_, chunk) => relay.told(evaluate(chunk))).flat();
    const chunksOf = (peer: string) =>
      told(effects, peer).flatMap((message) => (message.type === "evaluate" ? [message.chunk] : []));
    expect([chunksOf("A"), chunksOf("B")]).toEqual([
      [0, 2],
      [1, 3],
    ]);
    const answer = { type: "evaluated", session: relay.sessionOf("A"), version: 4, chunk: 0, correct: 244 } as const;
    const next = relay.says("A", answer);
    expect(answered(next)).toEqual([{ ...answer, session: "c/1" }]);
    expect(told(next, "A")).toMatchObject([{ type: "evaluate", chunk: 4 }]);
    expect(relay.says("A", answer)).toEqual([{ type: "reject", reason: "not-owed" }]);
  });

  test("in which more are said to be right than there are costs the one who says so its membership, not the relay's", () => {
    relay.ready("A", "B");
    for (const slice of ["dense", "conv"] as const) {
      relay.told({ type: "parameters", session: "c/1", version: 4, slice, averaged: true });
    }
    relay.told(evaluate(0));
    const claim = { type: "evaluated", session: relay.sessionOf("A"), version: 4, chunk: 0 } as const;
    const effects = relay.says("A", { ...claim, correct: 251 });
    expect(effects[0]).toEqual({ type: "reject", reason: "malformed" });
    expect(told(effects, "A")).toMatchObject([{ type: "rejected", code: "unknown-session" }]);
    expect(told(effects, "B")).toMatchObject([{ type: "evaluate", chunk: 0 }]);
    expect(answered(effects)).toEqual([]);
    const right = relay.says("B", { ...claim, session: relay.sessionOf("B"), correct: 250 });
    expect(answered(right)).toMatchObject([{ type: "evaluated", chunk: 0, correct: 250 }]);
    // Whoever is the only one below is judged above.
    relay.told(evaluate(1));
    const alone = relay.says("B", { ...claim, session: relay.sessionOf("B"), chunk: 1, correct: 251 });
    expect(answered(alone)).toMatchObject([{ type: "evaluated", chunk: 1, correct: 251 }]);
  });
});

describe("ending", () => {
  test("with the run it passes on why, and ends with exit code 0", () => {
    relay.ready("A");
    const effects = relay.told({ type: "stop", session: "c/1", reason: "done" });
    expect(told(effects, "A")).toMatchObject([{ type: "stop", reason: "done" }]);
    expect(effects.at(-1)).toEqual({ type: "exit", code: 0, text: "the run is done" });
  });

  test.each([
    ["interrupted", 143],
    ["diverged", 0],
    ["the coordinator has failed", 1],
  ])("with a run that was not done to the end (%s) as a worker ends, with exit code %i", (reason, code) => {
    relay.ready("A");
    const effects = relay.told({ type: "stop", session: "c/1", reason });
    expect(told(effects, "A")).toMatchObject([{ type: "stop", reason }]);
    expect(effects.at(-1)).toMatchObject({ type: "exit", code });
  });

  test("when it comes too late, as do those below", () => {
    relay.greets("A");
    const rejection = { type: "rejected", code: "interrupted", message: "the run was interrupted" } as const;
    const effects = relay.told(rejection);
    expect(told(effects, "A")).toEqual([rejection]);
    expect(effects.at(-1)).toMatchObject({ type: "exit", code: 143 });
  });

  test("at a signal it finishes what it owes, takes nobody new, and sends those below to look for another relay", () => {
    relay.ready("A");
    relay.assign(0, [0, 1]);
    expect(answered(relay.play({ type: "signal", signal: "SIGTERM" }))).toMatchObject([{ finishing: true }]);
    expect(relay.greets("B")).toEqual([]);
    expect(forwarded(relay.results("A", 0, [0, 1]))).toEqual(["step 0 dense", "step 0 conv"]);
    const effects = relay.told({ type: "stop", session: "c/1", reason: "left" });
    expect(told(effects, "A")).toMatchObject([{ type: "rejected", code: "unknown-session" }]);
    expect(effects.at(-1)).toMatchObject({ type: "exit", code: 143 });
  });

  test("at a signal, with nobody above any more, after three seconds", () => {
    relay.ready("A");
    relay.play({ type: "signal", signal: "SIGINT" });
    relay.pass(2_900);
    expect(relay.state.ended).toBe(false);
    expect(relay.pass(200).at(-1)).toMatchObject({ type: "exit", code: 130 });
  });

  test("a farewell for a session that it has left does not end it", () => {
    relay.ready("A");
    expect(relay.told({ type: "stop", session: "c/1", reason: "left" }).at(-1)).toMatchObject({ type: "greet" });
    expect(relay.state.ended).toBe(false);
  });
});
