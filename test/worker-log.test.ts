import { expect, test } from "vitest";
import { WorkerLog } from "../src/worker-log.ts";

type Options = ConstructorParameters<typeof WorkerLog>[0];

function setUp(options: Partial<Options> = {}) {
  const written = { text: "" };
  const log = new WorkerLog(
    { logFormat: "json", quiet: false, ...options },
    { write: (text: string) => (written.text += text) },
  );
  const lines = (): unknown[] =>
    written.text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown);
  return { log, written, lines };
}

/** A worker's life, as its command and its `Worker` tell it. */
function live(log: WorkerLog): void {
  const { listener } = log;
  const both = (news: Parameters<typeof listener.log>[0]): void => {
    listener.say(news.text);
    listener.log(news);
  };
  log.tell("connecting", "wasm engine on cpu, MNIST; connecting to tcp://h:1", { engine: "wasm" });
  both({ event: "welcomed", text: "welcomed as worker-1, run runs/a", worker: "worker-1", runId: "runs/a" });
  both({ event: "disconnected", text: "joining again: greet again", step: 7 });
  listener.log({ event: "draining", text: "leaving as soon as it can", worker: "worker-1", runId: "runs/a", step: 9 });
  log.ended({ code: 143, text: "leaving: it received SIGTERM" }, 11);
}

test("as text it says what people want to know", () => {
  const { log, written } = setUp({ logFormat: "text" });
  live(log);
  expect(written.text).toBe(
    [
      "lockstep worker: wasm engine on cpu, MNIST; connecting to tcp://h:1",
      "lockstep worker: welcomed as worker-1, run runs/a",
      "lockstep worker: joining again: greet again",
      "lockstep worker: leaving: it received SIGTERM",
      "",
    ].join("\n"),
  );
  const quiet = setUp({ logFormat: "text", quiet: true });
  live(quiet.log);
  expect(quiet.written.text).toBe("lockstep worker: leaving: it received SIGTERM\n");
});

test("as a log it tells the same and more, and remembers who it was", () => {
  const { log, lines } = setUp();
  live(log);
  const known = { run: "a", worker: "worker-1" };
  expect(lines()).toMatchObject([
    { level: "info", event: "connecting", run: null, worker: null, step: null, engine: "wasm" },
    { level: "info", event: "welcomed", ...known, step: null, msg: "welcomed as worker-1, run runs/a" },
    { level: "warn", event: "disconnected", ...known, step: 7 },
    { level: "info", event: "draining", ...known, step: 9 },
    { level: "info", event: "ended", ...known, step: 11, exitCode: 143 },
  ]);
});

test("quiet, it logs warnings and an end that nobody asked for", () => {
  const { log, lines } = setUp({ quiet: true });
  live(log);
  expect(lines()).toMatchObject([{ event: "disconnected" }]);
  log.ended({ code: 4, text: "refused" }, undefined);
  log.crashed(new RangeError("out of memory"));
  expect(lines().slice(1)).toMatchObject([
    { level: "error", event: "ended", exitCode: 4, msg: "refused" },
    { level: "error", event: "ended", exitCode: 1, stack: expect.stringContaining("RangeError") as string },
  ]);
});
