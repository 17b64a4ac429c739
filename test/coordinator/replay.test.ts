import { expect, test } from "vitest";
import type { EventLog } from "../../src/coordinator/event-recording.ts";
import type { Event, Plan } from "../../src/coordinator/machine/types.ts";
import {
  eventLine,
  headLine,
  type RecordedEvent,
  type RecordingHead,
  readEvent,
  readHead,
} from "../../src/coordinator/recording-format.ts";
import { type Difference, Replay, type Replayed } from "../../src/coordinator/replay.ts";
import { PLAN } from "../support/coordinator-script.ts";
import { SimulatedFleet } from "../support/simulated-fleet.ts";

/** The recording of one life of a coordinator, as lines. */
type Recording = string[];

/** A run in which much goes wrong, recorded. */
function recordedRun(seed: number, plan: Plan): Recording[] {
  const lives: Recording[] = [];
  const log: EventLog = {
    begin: ({ plan: ofLife, incarnation }) => lives.push([headLine({ plan: ofLife, incarnation }, "1")]),
    record: (event, effects) => lives.at(-1)!.push(eventLine(event, effects)),
  };
  const fleet = new SimulatedFleet(plan, seed, log);
  for (let i = 0; i < 3; i++) fleet.join();
  for (let i = 0; i < 400 && !fleet.over; i++) fleet.happen();
  if (fleet.alive === 0) fleet.join();
  for (let i = 0; i < 15 && !fleet.over; i++) fleet.calmSecond();
  return lives;
}

const headOf = ([head]: Recording): RecordingHead => readHead(head!, "1", "the recording");
const eventsOf = ([, ...lines]: Recording): RecordedEvent[] => lines.map((line) => readEvent(line)!);

/** Feeds all to a replay, up to the first difference. */
function replayed(head: RecordingHead, events: readonly RecordedEvent[]): { replay: Replay; difference?: Difference } {
  const replay = new Replay(head);
  for (const event of events) {
    const { difference } = replay.take(event);
    if (difference !== undefined) return { replay, difference };
  }
  return { replay };
}

const SIZES = { epochs: 2, stepsPerEpoch: 5, shardsPerStep: 6, shardsInLastStep: 3, joinTimeoutMs: Infinity };

test("a recorded run is decided the same again, whatever happened in it", () => {
  let outcomes = 0;
  for (let seed = 1; seed <= 30; seed++) {
    for (const life of recordedRun(seed, { ...PLAN, ...SIZES, minWorkers: 1 + (seed % 2) })) {
      const { replay, difference } = replayed(headOf(life), eventsOf(life));
      expect(difference).toBeUndefined();
      expect(replay.events).toBe(life.length - 1);
      if (replay.outcome !== undefined) outcomes += 1;
      if (replay.outcome === "done") expect(replay.steps).toBe(10 - headOf(life).plan.start.step);
    }
  }
  expect(outcomes).toBeGreaterThan(10);
});

/** The first run whose life has an event for which `change` knows another one; that event, and the index of it. */
function changedOnce(change: (event: Event) => Event | undefined): { difference?: Difference; index: number } {
  for (let seed = 1; ; seed++) {
    for (const life of recordedRun(seed, { ...PLAN, ...SIZES })) {
      const events = eventsOf(life);
      const index = events.findIndex(({ event }) => change(event) !== undefined);
      const found = events[index];
      if (found === undefined) continue;
      const changed = events.with(index, { ...found, event: change(found.event)! });
      return { ...replayed(headOf(life), changed), index };
    }
  }
}

test.each<[string, (event: Event) => Event | undefined]>([
  ["a result of another step", (event) => changedMessage(event, "result", { step: 1_000_000 })],
  ["a greeting of another protocol", (event) => changedMessage(event, "hello", { protocol: 1_000 })],
  [
    "a stranger's readiness",
    (event) => (event.type === "message" && event.message.type === "ready" ? { ...event, peer: "X" } : undefined),
  ],
  [
    "an event that is none",
    (event) => (event.type === "message" ? ({ type: "message", at: event.at } as Event) : undefined),
  ],
])("%s is found at once", (_, change) => {
  const { difference, index } = changedOnce(change);
  expect(difference).toMatchObject({
    event: index + 1,
    expected: expect.stringMatching(/^effects with the fingerprint /),
  });
  expect(difference!.found).not.toBe(difference!.expected);
});

function changedMessage(event: Event, type: string, changes: object): Event | undefined {
  if (event.type !== "message" || event.message.type !== type) return undefined;
  return { ...event, message: { ...event.message, ...changes } } as Event;
}

test("an event that is missing is found where it is missed", () => {
  const [life] = recordedRun(1, { ...PLAN, ...SIZES });
  const events = eventsOf(life!);
  const join = events.findIndex(({ event }) => event.type === "message" && event.message.type === "ready");
  const { difference } = replayed(headOf(life!), events.toSpliced(join, 1));
  expect(difference!.event).toBeGreaterThan(join);
});

test("where the machine failed then, it is to fail again", () => {
  const head = { plan: PLAN, incarnation: "c" };
  const impossible = { type: "message", peer: "A", at: 1 } as Event;
  const { difference: none } = replayed(head, [{ event: impossible, effects: undefined }]);
  expect(none).toBeUndefined();
  const { difference } = replayed(head, [
    { event: { type: "interrupt", signal: "SIGINT", at: 1 }, effects: undefined },
  ]);
  expect(difference).toMatchObject({ event: 1, expected: "a failure of the machine" });
});

test("what is replayed is told as lines, with its number and the time since the beginning", () => {
  const replay = new Replay({ plan: PLAN, incarnation: "c" });
  const take = (event: Event): Replayed["lines"] => replay.take({ event, effects: undefined }).lines;
  expect(take({ type: "start", at: 1_000 })).toEqual(["#1 +0.0 ms  start", "  begin step 0, 4 shards"]);
  const [line, ...asked] = take({ type: "interrupt", signal: "SIGINT", at: 1_253.14 });
  expect(line).toBe("#2 +253.1 ms  interrupt by SIGINT");
  expect(asked).toContain("  finish: interrupted, SIGINT");
  expect(replay).toMatchObject({ events: 2, steps: 0, outcome: "interrupted, SIGINT" });
});
