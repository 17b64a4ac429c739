import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventRecording, type EventRecordingOptions } from "../../src/coordinator/event-recording.ts";
import { eventLine, headLine } from "../../src/coordinator/recording-format.ts";
import { PLAN } from "../support/coordinator-script.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function setUp(changes: Partial<EventRecordingOptions> = {}) {
  const path = join(folder, "events.ndjson");
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const recording = new EventRecording({ path, version: "1.2.3", warn, ...changes });
  recording.begin({ plan: PLAN, incarnation: "c" });
  const head = headLine({ plan: PLAN, incarnation: "c" }, "1.2.3");
  return { recording, path, warnings, head, lines: () => readFileSync(path, "utf8").split("\n") };
}

const lost = (at: number) => ({ type: "peer-lost", peer: "A", reason: "gone", at }) as const;

test("holds the head and all events, in order", async () => {
  const { recording, head, lines, warnings } = setUp();
  const effects = [{ type: "commit-step", step: 0 }] as const;
  recording.record(lost(1), effects);
  recording.record(lost(2), undefined);
  await recording.close();
  expect(lines()).toEqual([head, eventLine(lost(1), effects), eventLine(lost(2), undefined), ""]);
  expect(warnings).toEqual([]);
});

test("what is older than a second is on the disk, without being closed", async () => {
  const { recording, lines } = setUp();
  recording.record(lost(1_000), []);
  await vi.waitFor(() => expect(lines()).toHaveLength(3), { interval: 1 });
  for (let at = 1_001; at < 2_000; at++) recording.record(lost(at), []);
  recording.record(lost(2_000), []);
  await vi.waitFor(() => expect(lines()).toHaveLength(1_003), { interval: 1 });
  await recording.close();
});

test("ends when it is full, with a warning", async () => {
  const maxCharacters = 3 * 2 ** 20;
  const { recording, path, lines, warnings } = setUp({ maxCharacters });
  const reason = "x".repeat(100_000);
  for (let at = 1; at < 100; at++) recording.record({ ...lost(at), reason }, []);
  await recording.close();
  expect(lines()).toHaveLength(1 + Math.floor(maxCharacters / 100_100) + 1);
  expect(warnings).toEqual([`the recording ${path} is full (3 MB); the rest of the run is not recorded`]);
});

test("is refused where it cannot be written", () => {
  const path = join(folder, "taken");
  mkdirSync(path);
  const message = `cannot write --record-events ${path}: it is not a regular file; choose another file`;
  expect(() => setUp({ path })).toThrow(expect.objectContaining({ code: "usage", message }));
});
