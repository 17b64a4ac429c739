import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COORDINATOR_EVENTS, WORKER_EVENTS } from "../../src/shared/log/vocabulary.ts";
import { type Ended, resultOf, useCli } from "../support/cli.ts";

/** `--log-format json` and `log.ndjson`, with the built command and real workers. */

const cli = useCli({});
const LONG = ["--limit-train", "4000", "--epochs", "12", "--metrics-port", "0", "--log-every", "10"];
const SMALL = ["--limit-train", "4000", "--epochs", "2", "--metrics-port", "0", "--log-every", "10"];
const JSON_LOG = ["--log-format", "json"];

interface Line {
  readonly level: string;
  readonly time: string;
  readonly run: string | null;
  readonly worker: string | null;
  readonly step: number | null;
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Fails where a line is no object, lacks what every line has, or has a name that is not in the vocabulary. */
function linesOf(text: string, vocabulary: Readonly<Record<string, string>> = COORDINATOR_EVENTS): Line[] {
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
  for (const line of lines) {
    const { time, event, msg } = line;
    expect(Object.keys(line).slice(0, 7)).toEqual(["level", "time", "run", "worker", "step", "event", "msg"]);
    expect(new Date(time).toISOString()).toBe(time);
    expect(vocabulary).toHaveProperty(event);
    expect(msg).not.toBe("");
  }
  return lines;
}

const eventsOf = (lines: readonly Line[]): string[] => lines.map(({ event }) => event);
const logOf = (run: string): Line[] => linesOf(readFileSync(join(cli.folder(), run, "log.ndjson"), "utf8"));

/** Whether the names come in this order, with others between them. */
function expectOrder(lines: readonly Line[], names: readonly string[]): void {
  const events = eventsOf(lines);
  let place = -1;
  for (const name of names) {
    const next = events.indexOf(name, place + 1);
    expect(next, `${name} after ${place} events of ${events.join(", ")}`).toBeGreaterThan(place);
    place = next;
  }
}

describe("lockstep train --log-format json", () => {
  it.each(["thread", "process"])("tells all of a run as objects, workers: %s", async (isolation) => {
    const options = ["--workers", "2", "--isolation", isolation, "--run-dir", "here", "--json"];
    const ended = await cli.run(["train", ...SMALL, ...JSON_LOG, ...options]);
    expect(ended.code).toBe(0);
    const lines = linesOf(ended.stderr);
    expectOrder(lines, ["monitoring", "listening", "worker-joined", "run-started", "step", "epoch", "step", "epoch"]);
    expectOrder(lines, ["epoch", "checkpoint-saved", "summary", "run-finished"]);
    expect(new Set(lines.map(({ run }) => run))).toEqual(new Set(["here"]));
    const steps = lines.filter(({ event }) => event === "step");
    expect(steps.map(({ step }) => step)).toEqual([10, 20, 30, 40, 50, 60, 73, 83, 93, 103, 113, 123]);
    for (const { msg, level, loss } of steps) {
      expect(level).toBe("info");
      expect(msg).toMatch(new RegExp(`^Epoch \\[[12]/2\\], Step \\[\\d+/63\\], Loss: ${(loss as number).toFixed(4)}$`));
    }
    // Only the result is on stdout, and it is the one in the log.
    expect(ended.stdout.split("\n")).toHaveLength(2);
    expect(lines.find(({ event }) => event === "run-finished")).toMatchObject({ result: resultOf(ended) });
    // The run's folder has the same lines, but for single steps.
    const inFile = logOf("here");
    // Rejected results are summed up at the same pace, but not at the same moments.
    const isInBoth = ({ event }: Line): boolean => !["step", "report-written", "rejected"].includes(event);
    expect(eventsOf(inFile.filter(isInBoth))).toEqual(eventsOf(lines.filter(isInBoth)));
    expect(eventsOf(inFile)).not.toContain("step");
  });

  it("names a worker that is killed", async () => {
    const options = ["--workers", "2", "--isolation", "process", "--run-dir", "here", "--epochs", "20"];
    const run = cli.start(["train", ...SMALL, ...JSON_LOG, ...options]);
    const [, pid] = await run.sees(/"event":"worker-joined".*"pid":(\d+),"workers":2/);
    await run.sees(/"step":20,"event":"step"/);
    process.kill(Number(pid), "SIGKILL");
    await run.sees(/"event":"worker-lost"/);
    run.kill("SIGINT");
    const ended = await run.ended();
    expect(ended.code).toBe(130);
    expect(ended.stdout).toBe("");
    const lines = linesOf(ended.stderr);
    const joined = lines.find(({ event, pid: each }) => event === "worker-joined" && each === Number(pid));
    const lost = lines.filter(({ event }) => event === "worker-lost");
    expect(lost).toMatchObject([{ level: "warn", worker: joined!.worker }]);
    expect(lines.at(-1)).toMatchObject({ msg: expect.stringMatching(/^(Interrupted by SIGINT|Report )/) });
    expect(logOf("here").filter(({ event }) => event === "worker-lost")).toMatchObject([{ worker: joined!.worker }]);
  });

  it("goes on with the log of a run that was killed, and takes half a line out of it", async () => {
    const run = cli.start(["train", ...SMALL, ...JSON_LOG, "--workers", "1", "--run-dir", "here", "--epochs", "6"]);
    await run.sees(/"event":"checkpoint-saved"/);
    run.kill("SIGKILL");
    await run.ended();
    const before = eventsOf(logOf("here"));
    expect(before).toContain("run-started");
    appendFileSync(join(cli.folder(), "here/log.ndjson"), '{"level":"inf');
    const again = await cli.run(["train", "--run-dir", "here", "--resume", "--metrics-port", "0", ...JSON_LOG]);
    expect(again.code).toBe(0);
    const lines = logOf("here");
    expect(eventsOf(lines).slice(0, before.length)).toEqual(before);
    const since = lines.slice(before.length);
    expectOrder(since, ["run-resumed", "run-started", "epoch", "run-finished"]);
    expect(since.find(({ event }) => event === "run-resumed")?.step).toBeGreaterThan(0);
  });

  it("tells a failure as its last line, with the exit code as ever", async () => {
    const early = await cli.run(["train", ...SMALL, ...JSON_LOG, "--data", "nowhere"]);
    const alone = ["--listen", "tcp://127.0.0.1:*", "--join-timeout-s", "1", "--run-dir", "here"];
    const late = await cli.run(["coordinator", ...alone, ...SMALL, ...JSON_LOG]);
    for (const [ended, exitCode] of [
      [early, early.code],
      [late, 3],
    ] as const) {
      expect(ended.code).toBe(exitCode);
      expect(linesOf(ended.stderr).at(-1)).toMatchObject({ level: "error", event: "run-failed", exitCode });
    }
    expect(logOf("here").at(-1)).toMatchObject({ event: "run-failed", run: "here", code: "not-enough-workers" });
  });

  it("is quiet where that is asked for", async () => {
    const ended = await cli.run(["train", ...SMALL, ...JSON_LOG, "--workers", "1", "--quiet"]);
    expect(eventsOf(linesOf(ended.stderr))).toEqual(["run-finished"]);
  });
});

describe("lockstep coordinator and lockstep worker with --log-format json", () => {
  it("both tell what happens to a worker, under the same name", async () => {
    const address = ["--listen", "tcp://127.0.0.1:*"];
    const coordinator = cli.start(["coordinator", ...address, ...LONG, ...JSON_LOG, "--run-dir", "here"]);
    const [, connect] = await coordinator.sees(/"event":"listening".*"address":"(tcp:[^"]*)"/);
    const start = () => cli.start(["worker", "--connect", connect!, ...JSON_LOG]);
    const victim = start();
    await coordinator.sees(/"step":10,"event":"step"/);
    victim.kill("SIGKILL");
    await coordinator.sees(/"event":"worker-lost"/);
    const leaver = start();
    await coordinator.sees(/"step":30,"event":"step"/);
    const last = start();
    await coordinator.sees(/"event":"worker-joined".*"workers":2/);
    leaver.kill("SIGTERM");
    const [ended, left, done] = await Promise.all([coordinator.ended(), leaver.ended(), last.ended()]);
    expect([ended.code, left.code, done.code]).toEqual([0, 143, 0]);
    const lines = linesOf(ended.stderr);
    const about = (event: string) => lines.filter((line) => line.event === event).map(({ worker }) => worker);
    expect(about("worker-lost")).toEqual(["worker-1"]);
    expect(about("worker-left")).toEqual(["worker-2"]);
    expectOrder(lines, ["listening", "run-started", "worker-lost", "worker-joined", "worker-left", "run-finished"]);
    expectWorker(left, "worker-2", ["connecting", "welcomed", "draining", "ended"]);
    expectWorker(done, "worker-3", ["connecting", "welcomed", "ended"]);
    expect(linesOf((await victim.ended()).stderr, WORKER_EVENTS).at(-1)).toMatchObject({ event: "welcomed" });
  });

  it("a worker that finds nobody says so in its last line", async () => {
    const lonely = await cli.run([
      ...["worker", "--connect", "tcp://127.0.0.1:1", "--coordinator-timeout-s", "1"],
      ...JSON_LOG,
    ]);
    expect(lonely.code).toBe(1);
    const last = linesOf(lonely.stderr, WORKER_EVENTS).at(-1);
    expect(last).toMatchObject({ level: "error", event: "ended", run: null, worker: null, exitCode: 1 });
  });
});

function expectWorker({ stderr, stdout }: Ended, worker: string, events: readonly string[]): void {
  expect(stdout).toBe("");
  const lines = linesOf(stderr, WORKER_EVENTS);
  expect(eventsOf(lines)).toEqual(events);
  for (const line of lines.slice(1)) expect(line).toMatchObject({ run: "here", worker });
  expect(lines.at(-1)?.step).toBeGreaterThan(0);
}
