import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resultOf, useCli } from "../support/cli.ts";
import { type ChromeEvent, readTrace } from "../support/trace.ts";

/** `--trace` and what a run says of its own speed, with the built command and real workers. */

const cli = useCli();
const STEPS = 120;
const SMALL = [
  "--limit-train",
  String(STEPS * 64),
  "--epochs",
  "1",
  "--metrics-port",
  "0",
  "--workers",
  "2",
  "--min-workers",
  "2",
];

const spansOf = (events: readonly ChromeEvent[], name: string): ChromeEvent[] =>
  events.filter((event) => event.ph === "X" && event.name === name);

/** The names of the processes, by number. */
const processes = (events: readonly ChromeEvent[]): Map<number, string> =>
  new Map(events.filter(({ name }) => name === "process_name").map(({ pid, args }) => [pid, args.name ?? ""]));

describe("lockstep train --trace", () => {
  it.each(["thread", "process"])("records what everybody did in each step, workers: %s", async (isolation) => {
    const options = ["--isolation", isolation, "--trace", "here/trace.json", "--run-dir", "here", "--json"];
    const ended = await cli.run(["train", ...SMALL, ...options]);
    expect(ended.code).toBe(0);
    const events = readTrace(join(cli.folder(), "here/trace.json"));
    const names = processes(events);
    const everybody = [...names.values()].map((name) => name.split(" ")[0]);
    expect(new Set(everybody)).toEqual(new Set(["coordinator", "worker-1", "worker-2"]));
    const steps = Array.from({ length: STEPS }, (_, step) => step + 1);
    for (const phase of ["decide", "reduce", "adam", "send"]) {
      const spans = spansOf(events, phase);
      expect(new Set(spans.map(({ pid }) => names.get(pid)))).toEqual(new Set(["coordinator"]));
      if (phase !== "send") expect([...new Set(spans.map(({ args }) => args.step))]).toEqual(steps);
    }
    for (const phase of ["wait", "compute", "wire", "gather"]) {
      expect(new Set(spansOf(events, phase).map(({ pid }) => names.get(pid)?.split(" ")[0]))).toEqual(
        new Set(["worker-1", "worker-2"]),
      );
    }
    // A batch has two shards: one each as a rule, but both for one of them while the other is slow.
    expect([...new Set(spansOf(events, "compute").map(({ args }) => args.step))]).toEqual(steps);
    // On each row one thing comes after another.
    const rows = groupRows(events);
    for (const row of rows.values()) {
      for (const [i, { ts = 0, dur = 0 }] of row.entries()) {
        expect(ts).toBeGreaterThanOrEqual(0);
        // Times are told to a tenth of a microsecond.
        expect(ts + dur).toBeLessThanOrEqual((row[i + 1]?.ts ?? Infinity) + 0.2);
      }
    }
  });

  it("leaves a whole file when the run is interrupted", async () => {
    const run = cli.start(["train", ...SMALL, "--epochs", "50", "--log-every", "10", "--trace", "trace.json"]);
    await run.sees(/Epoch \[2\/50\], Step \[10\//);
    run.kill("SIGINT");
    const { code, stdout } = await run.ended();
    expect(code).toBe(130);
    const [, steps] = /Interrupted by SIGINT after (\d+) steps/.exec(stdout) ?? [];
    const events = readTrace(join(cli.folder(), "trace.json"));
    expect(spansOf(events, "adam").at(-1)?.args.step).toBe(Number(steps));
  });

  it("is refused before anything begins when its file cannot be written", async () => {
    mkdirSync(join(cli.folder(), "folder"));
    const { code, stdout, stderr } = await cli.run(["train", ...SMALL, "--trace", "folder", "--run-dir", "here"]);
    expect(stderr).toBe("lockstep: cannot write --trace folder: it is not a regular file; choose another file\n");
    expect(stdout).toBe("");
    expect(code).toBe(2);
    // Neither is a folder left that would refuse the next run.
    expect((await cli.run(["train", ...SMALL, "--run-dir", "here", "--quiet"])).code).toBe(0);
  });
});

describe("what a run says of its speed", () => {
  it("is a line on the terminal and an object in the result", async () => {
    const { stdout } = await cli.run(["train", ...SMALL]);
    expect(stdout).toMatch(/^Trained .*\nLimited by .*: 2 workers do the work of [01]\.\d/m);
    const { efficiency } = resultOf(await cli.run(["train", ...SMALL, "--json"]));
    expect(efficiency).toMatchObject({ steps: STEPS - 50, workers: 2, summary: expect.stringMatching(/^Limited by /) });
  });

  it("is nothing where there was too little to measure", async () => {
    const options = ["--limit-train", "640", "--json"];
    const { efficiency } = resultOf(await cli.run(["train", ...SMALL, ...options]));
    expect(efficiency).toBeNull();
  });
});

function groupRows(events: readonly ChromeEvent[]): Map<string, ChromeEvent[]> {
  const rows = new Map<string, ChromeEvent[]>();
  for (const event of events) {
    if (event.ph !== "X") continue;
    const row = `${event.pid}/${event.tid}`;
    rows.set(row, [...(rows.get(row) ?? []), event]);
  }
  for (const row of rows.values()) row.sort((a, b) => (a.ts ?? 0) - (b.ts ?? 0));
  return rows;
}
