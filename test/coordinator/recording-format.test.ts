import { expect, test } from "vitest";
import type { Effect, Event } from "../../src/coordinator/machine/types.ts";
import { eventLine, fingerprint, headLine, readEvent, readHead } from "../../src/coordinator/recording-format.ts";
import { PLAN } from "../support/coordinator-script.ts";

const EFFECTS: readonly Effect[] = [{ type: "begin-step", step: 3, shardCount: 4 }];
const HEAD = { plan: { ...PLAN, joinTimeoutMs: Infinity }, incarnation: "c" };

test("the head and events come back as they were, numbers that JSON lacks included", () => {
  expect(readHead(headLine(HEAD, "1.2.3"), "1.2.3", "it")).toEqual(HEAD);
  const event: Event = { type: "use-workers", count: Infinity, at: 1_234.567_890_123_4 };
  const line = eventLine(event, EFFECTS);
  expect(line).not.toContain("\n");
  expect(readEvent(line)).toEqual({ event, effects: fingerprint(EFFECTS) });
  expect(readEvent(eventLine(event, undefined))).toEqual({ event, effects: undefined });
});

test("the fingerprint is FNV-1a of the effects as JSON, and another one for any other effects", () => {
  // "[]", byte by byte: ((offset ^ 0x5b) * prime ^ 0x5d) * prime.
  expect(fingerprint([])).toBe("741638a5");
  const others: (readonly Effect[])[] = [
    EFFECTS,
    [...EFFECTS, ...EFFECTS],
    [{ type: "begin-step", step: 4, shardCount: 4 }],
    [{ type: "begin-step", step: Infinity, shardCount: 4 }],
    [{ type: "begin-step", step: NaN, shardCount: 4 }],
  ];
  expect(new Set(others.map(fingerprint)).size).toBe(others.length);
});

test.each([
  ["an empty file", "", "is not a recording of events; name a file that --record-events wrote"],
  ["another file", '{"time":"2026-01-31"}', "is not a recording of events; name a file that --record-events wrote"],
  ["a torn head", headLine(HEAD, "1.2.3").slice(0, -1), "is not a recording of events"],
  ["an array", "[1]", "is not a recording of events"],
  [
    "another version's recording",
    headLine(HEAD, "1.2.2"),
    "was recorded by lockstep 1.2.2 in format 2, this is 1.2.3 with format 2; replay it with the version that recorded it",
  ],
  [
    "another format",
    headLine(HEAD, "1.2.3").replace('"formatVersion":2', '"formatVersion":1'),
    "was recorded by lockstep 1.2.3 in format 1, this is 1.2.3 with format 2",
  ],
])("the head of %s is refused", (_, line, message) => {
  expect(() => readHead(line, "1.2.3", "the/file")).toThrow(
    expect.objectContaining({ code: "refused", exitCode: 4, message: expect.stringContaining(`the/file ${message}`) }),
  );
});

test.each(["plan", "start"])("a head without its %s is refused", (key) => {
  const line = headLine(HEAD, "1.2.3").replace(`"${key}"`, `"no ${key}"`);
  expect(() => readHead(line, "1.2.3", "the/file")).toThrow(
    /^the first line of the\/file is damaged: it lacks the plan/,
  );
});

test("no part of an event's line is an event", () => {
  const line = eventLine({ type: "peer-lost", peer: "A", reason: "gone", at: 1 }, EFFECTS);
  for (let length = 0; length < line.length; length++) expect(readEvent(line.slice(0, length))).toBeUndefined();
  for (const other of [
    "null",
    "3",
    '{"event":3}',
    '{"event":{"type":"tick"}}',
    '{"event":{"type":"tick","at":1},"effects":1}',
  ]) {
    expect(readEvent(other)).toBeUndefined();
  }
});
