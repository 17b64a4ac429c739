import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { replayCommand } from "../../src/commands/replay.ts";
import { initialState, transition } from "../../src/coordinator/machine/machine.ts";
import type { Event } from "../../src/coordinator/machine/types.ts";
import { eventLine, headLine } from "../../src/coordinator/recording-format.ts";
import { VERSION } from "../../src/version.ts";
import { helloOf, PLAN } from "../support/coordinator-script.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-replay-"));
  path = join(folder, "events.ndjson");
});
afterEach(() => rmSync(folder, { recursive: true }));

const EVENTS: readonly Event[] = [
  { type: "start", at: 5 },
  { type: "message", peer: "A", message: helloOf("a"), finite: true, at: 10 },
  { type: "interrupt", signal: "SIGINT", at: 20 },
];

/** The lines of a recording in which the machine was told these events. */
function linesOf(events: readonly Event[] = EVENTS): string[] {
  let state = initialState(PLAN, "c");
  const lines = events.map((event) => {
    const [next, effects] = transition(state, event);
    state = next;
    return eventLine(event, effects);
  });
  return [headLine({ plan: PLAN, incarnation: "c" }, VERSION), ...lines];
}

async function replay(content: string, options: { json?: boolean; quiet?: boolean } = {}) {
  writeFileSync(path, content);
  const [stdout, stderr]: string[][] = [[], []];
  const io = {
    stdout: { write: (text: string) => stdout!.push(text) },
    stderr: { write: (text: string) => stderr!.push(text) },
  };
  const code = await replayCommand({ events: path, json: false, quiet: false, ...options }, io);
  return { code, stdout: stdout!.join(""), stderr: stderr!.join("") };
}

const SUMMARY = "Replayed 3 events and 0 steps, all decided as recorded; the run ended: interrupted, SIGINT";

test("a recording is told line by line, and then summed up", async () => {
  const { code, stdout, stderr } = await replay(`${linesOf().join("\n")}\n`);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(
    "#1 +0.0 ms  start\n  begin step 0, 4 shards\n#2 +5.0 ms  A: hello\n  A <- welcome as worker-1\n",
  );
  expect(stdout.trimEnd().split("\n").at(-1)).toBe(SUMMARY);
});

test("--quiet leaves the summary, --json puts one object on stdout", async () => {
  const content = `${linesOf().join("\n")}\n`;
  expect(await replay(content, { quiet: true })).toEqual({ code: 0, stdout: `${SUMMARY}\n`, stderr: "" });
  const { code, stdout, stderr } = await replay(content, { quiet: true, json: true });
  expect([code, stderr]).toEqual([0, `${SUMMARY}\n`]);
  const result = { events: 3, steps: 0, outcome: "interrupted, SIGINT", torn: false };
  expect(JSON.parse(stdout)).toEqual({ same: true, ...result, difference: null });
});

test("the first difference is told, and ends it with 1", async () => {
  const lines = linesOf();
  lines[2] = lines[2]!.replace('"protocol":', '"protocol":1000');
  const { code, stdout } = await replay(`${lines.join("\n")}\n`, { quiet: true });
  expect(code).toBe(1);
  const fingerprint = "effects with the fingerprint [0-9a-f]{8}";
  expect(stdout).toMatch(
    new RegExp(
      `^Event 2 of ${path} \\(line 3\\) is decided otherwise than recorded: A: hello\nexpected: ${fingerprint}\n` +
        `found: ${fingerprint}\n {2}A <- rejected, protocol-version\n`,
    ),
  );
  const json = JSON.parse((await replay(`${lines.join("\n")}\n`, { json: true })).stdout) as Record<string, unknown>;
  expect(json).toMatchObject({ same: false, events: 2, outcome: null, difference: { event: 2, what: "A: hello" } });
});

test("a last line that is torn is passed over, wherever it is torn", async () => {
  const whole = linesOf().join("\n");
  const last = whole.lastIndexOf("\n") + 1;
  for (const length of [last + 1, last + 20, whole.length - 1]) {
    const { code, stdout } = await replay(whole.slice(0, length), { quiet: true });
    expect([code, stdout]).toEqual([
      0,
      "Replayed 2 events and 0 steps, all decided as recorded; no end is recorded; the last line is torn, and was passed over\n",
    ]);
  }
  // All that it lacks is its end.
  expect((await replay(whole, { quiet: true })).stdout).toBe(`${SUMMARY}\n`);
});

const head = (): string => linesOf()[0]!;

test.each([
  ["an empty file", () => "", /events\.ndjson is not a recording of events; name a file that --record-events wrote$/],
  ["another file", () => "\0\x01\xff".repeat(1_000), /is not a recording of events/],
  [
    "another version's",
    () => `${head().replace(VERSION, "0.0.1")}\n`,
    /was recorded by lockstep 0\.0\.1 in format 2, this is/,
  ],
  [
    "one that is damaged inside",
    () => `${head()}\n{"ev\n${linesOf()[1]}\n`,
    /^line 2 of .*events\.ndjson is damaged; record/,
  ],
])("%s is refused with 4", async (_, content, message) => {
  const refused = expect.objectContaining({ code: "refused", exitCode: 4, message: expect.stringMatching(message) });
  await expect(replay(content())).rejects.toThrow(refused);
});

test.each([
  ["missing/file", /^cannot read the recording .*: ENOENT.*; name a file that --record-events wrote$/],
  [".", /^cannot read the recording .*: it is not a regular file; name a file/],
])("what is not a file is refused: %s", async (name, message) => {
  const refused = expect.objectContaining({ exitCode: 4, message: expect.stringMatching(message) });
  await expect(replayCommand({ events: join(folder, name), json: false, quiet: true })).rejects.toThrow(refused);
});
