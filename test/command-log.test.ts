import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { commandLog } from "../src/command-log.ts";
import { LockstepError } from "../src/shared/errors.ts";

function setUp(command: string, config: Record<string, unknown>) {
  const written = { text: "" };
  const log = commandLog({ command, config, stderr: { write: (text: string) => (written.text += text) } });
  log.warn("LOCKSTEP_EPOCS is no option");
  log.fail(new LockstepError("usage", "--gpus 7: there is no such GPU"));
  log.fail(new TypeError("x is undefined"));
  return written.text.split("\n").slice(0, -1);
}

test("as text, a sentence is a line and a bug has its stack", () => {
  const [warning, usage, bug, ...stack] = setUp("train", { logFormat: "text" });
  expect(warning).toBe("lockstep: warning: LOCKSTEP_EPOCS is no option");
  expect(usage).toBe("lockstep: --gpus 7: there is no such GPU");
  expect(bug).toBe("lockstep: unexpected error: TypeError: x is undefined");
  expect(stack[0]).toMatch(/^ +at /);
});

test.each([
  ["train", { logFormat: "json", runDir: "runs/a" }, "run-failed", "a"],
  ["worker", { logFormat: "json" }, "ended", null],
])("as a log of %s, all are objects a line", (command, config, event, run) => {
  expect(setUp(command, config).map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: "warn", event: "warning", run, worker: null, step: null, msg: "warning: LOCKSTEP_EPOCS is no option" },
    { level: "error", event, run, code: "usage", exitCode: 2, msg: "--gpus 7: there is no such GPU" },
    { level: "error", event, exitCode: 1, stack: expect.stringContaining("TypeError") as string },
  ]);
});

/** Tells three things, then comes to this end without waiting for anything. */
function crash(end: string) {
  const from = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);
  const script = `
    const { onCrash } = await import(${from("crashes.ts")});
    const { commandLog } = await import(${from("command-log.ts")});
    const log = commandLog({ command: "train", config: { logFormat: "json" }, stderr: process.stderr });
    onCrash((thrown) => log.fail(thrown));
    for (const each of ["one", "two", "three"]) log.warn(each);
    ${end};
    setInterval(() => {}, 1000);
  `;
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
  const lines = stderr.toString().split("\n").slice(0, -1);
  return { status, lines: lines.map((line) => JSON.parse(line) as { msg: string; stack?: string }) };
}

test.each([
  ["throws", 'setTimeout(() => { throw new Error("boom") })'],
  ["rejects", 'void Promise.reject(new Error("boom"))'],
])("a process that %s says so in its log, as the last of all its lines", (_, end) => {
  const { status, lines } = crash(end);
  expect(status).toBe(1);
  expect(lines.map(({ msg }) => msg)).toEqual([
    ...["one", "two", "three"].map((each) => `warning: ${each}`),
    "unexpected error: boom",
  ]);
  expect(lines.at(-1)?.stack).toMatch(/^Error: boom\n +at /);
});
