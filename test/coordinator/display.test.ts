import { expect, test } from "vitest";
import { type DisplayOptions, openDisplay } from "../../src/coordinator/display.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { finished, started, step, workerLeft } from "./training-events.ts";

function setUp(options: Partial<DisplayOptions> = {}) {
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    ...{ isTTY: true, columns: 80 },
    write: (text: string) => (written[name] += text),
  });
  const display = openDisplay({
    ...{ logFormat: "json", logEvery: 400, json: false, quiet: false, workersByHand: false, environment: {} },
    ...{ stdout: stream("stdout"), stderr: stream("stderr"), now: () => 0 },
    ...options,
  });
  const lines = (): unknown[] =>
    written.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
  return { display, written, lines };
}

test("as a log, all goes to stderr, without a bar even on a terminal", () => {
  const { display, written, lines } = setUp({ runDir: "runs/b" });
  for (const event of [started(), step(), workerLeft(), finished()]) display.handle(event);
  display.reported("runs/b/report.html");
  display.close();
  expect(written.stdout).toBe("");
  expect(lines()).toMatchObject([
    { event: "run-started", run: "b" },
    { event: "step" },
    { event: "worker-lost" },
    { event: "shards-reassigned" },
    ...["summary", "summary", "summary", "run-finished", "report-written"].map((event) => ({ event })),
  ]);
});

test("with json, stdout gets the result and nothing else", () => {
  const { display, written } = setUp({ json: true, quiet: true });
  const end = finished();
  for (const event of [started(), step(), end]) display.handle(event);
  expect(JSON.parse(written.stdout)).toEqual(end.type === "finished" && end.result);
  expect(display.isWritten).toBe(true);
});

test("a failure is told in the log; as text it is left to the command", () => {
  const thrown = new LockstepError("diverged", "the loss is not finite");
  const log = setUp();
  expect(log.display.fail(thrown)).toBe(true);
  expect(log.lines()).toMatchObject([{ level: "error", event: "run-failed", code: "diverged", exitCode: 5 }]);
  const text = setUp({ logFormat: "text" });
  expect(text.display.fail(thrown)).toBe(false);
  expect(text.written).toEqual({ stdout: "", stderr: "" });
});

test("a reader that has gone does not matter", () => {
  const gone = {
    write: () => {
      throw new Error("write EPIPE");
    },
  };
  const { display } = setUp({ stdout: gone, stderr: gone, json: true });
  for (const event of [started(), step(), finished()]) display.handle(event);
  expect(display.isWritten).toBe(false);
});
