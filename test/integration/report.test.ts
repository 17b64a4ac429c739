import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { type Ended, resultOf, useCli } from "../support/cli.ts";

/** `report.html` and `result.json` as a user finds them: real runs that end, are interrupted, resumed or killed. */

const cli = useCli({});
const SMALL = ["train", "--limit-train", "4000", "--metrics-port", "0", "--workers", "2", "--run-dir", "here"];
const LONG = ["train", "--epochs", "50", "--checkpoint-every", "20", "--log-every", "10", ...SMALL.slice(3)];
const REPORT = join("here", "report.html");

/** With all white space as one space. */
const page = (): string => read(REPORT).replaceAll(/\s+/g, " ");
const read = (path: string): string => readFileSync(join(cli.folder(), path), "utf8");
const has = (path: string): boolean => existsSync(join(cli.folder(), path));
const remake = (...more: string[]): Promise<Ended> => cli.run(["report", "--run-dir", "here", ...more]);

describe("at the end of a run", () => {
  it("tells what the run came to, with the run's own errors, and again the same when it is made anew", async () => {
    const ended = await cli.run([...SMALL, "--epochs", "2", "--log-every", "20"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout.trimEnd().split("\n").at(-1)).toBe(`Report ${REPORT}`);
    const result = JSON.parse(read(join("here", "result.json"))) as Record<string, unknown>;
    expect(result).toMatchObject({ epochs: 2, steps: 126, samplesLost: 0, samplesRepeated: 0, earlier: [] });
    const first = read(REPORT);
    expect(page()).toContain(`recognised, ${String(result["testErrors"])} errors. Trained 2 epochs, 126 steps in`);
    expect(page()).toContain("with the same errors as in the run");
    expect(page()).toContain(`<code>${String(result["weightsSha256"])}</code>`);
    expect(page()).toContain("npx lockstep train --epochs 2 --limit-train 4000");
    expect(first.length).toBeLessThan(500_000);
    rmSync(join(cli.folder(), REPORT));
    expect(await remake()).toEqual({ code: 0, signal: null, stdout: `Report ${REPORT}\n`, stderr: "" });
    expect(read(REPORT)).toBe(first);
  });

  it("leaves stdout to the result with --json, and is not made with --no-report", async () => {
    const args = [...SMALL, "--epochs", "1"];
    const ended = await cli.run([...args, "--json"]);
    expect(resultOf(ended)).toMatchObject({ epochs: 1 });
    expect(ended.stderr.trimEnd().split("\n").at(-1)).toBe(`Report ${REPORT}`);
    const without = await cli.run([...args.slice(0, -3), "there", "--epochs", "1", "--no-report"]);
    expect(without).toMatchObject({ code: 0, stderr: "" });
    expect([has(join("there", "report.html")), has(join("there", "result.json"))]).toEqual([false, true]);
  });

  it("costs a warning where it cannot be written, and not the run", async () => {
    const run = cli.start([...LONG, "--epochs", "1"]);
    await run.sees(/Step \[10\/938\]/);
    // Whoever is root writes to any folder, but over no other folder.
    mkdirSync(join(cli.folder(), REPORT));
    const ended = await run.ended();
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(
      /^warning: the run is complete, its report is not: cannot write the report here\/report\.html: EISDIR.*; make it with: npx lockstep report --run-dir here\n$/,
    );
  });
});

describe("of a run that did not end by itself", () => {
  it("tells that it was interrupted, and of both starts once it was resumed", async () => {
    const run = cli.start(LONG);
    await run.sees(/Step \[20\/938\]/);
    run.kill("SIGINT");
    const ended = await run.ended();
    expect(ended).toMatchObject({ code: 130, stderr: "" });
    const [, steps] = /Interrupted by SIGINT after (\d+) steps/.exec(ended.stdout) ?? [];
    expect(page()).toContain(`Interrupted by SIGINT after ${steps} steps of 46,900 in`);
    expect(page()).toContain("the run itself has not evaluated these weights");
    const resumed = await cli.run(["train", "--run-dir", "here", "--resume", "--epochs", "1", "--metrics-port", "0"]);
    expect(resumed).toMatchObject({ code: 0, stderr: "" });
    expect(page()).toContain("Trained 1 epoch, 938 steps in");
    expect(page()).toMatch(/<th scope="row">Starts of the run<\/th> <td>2<\/td>/);
    expect(page()).toMatch(new RegExp(`<td>0</td> <td>${steps}</td> <td>SIGINT</td>`));
    // Resumed once more, there is nothing to do, and nothing else to tell of the result.
    const before = read(join("here", "result.json"));
    const [verdict] = /<p class="verdict">.*?<\/p>/.exec(page()) ?? [];
    const again = await cli.run(["train", "--run-dir", "here", "--resume", "--metrics-port", "0"]);
    expect(again.code).toBe(0);
    expect(read(join("here", "result.json"))).toBe(before);
    expect(page()).toContain(verdict);
  });

  it("has none after kill -9, until it is asked for", async () => {
    const run = cli.start(LONG);
    await run.sees(/Step \[50\/938\]/);
    await vi.waitFor(() => expect(has(join("here", "checkpoints", "latest"))).toBe(true), { timeout: 60_000 });
    run.kill("SIGKILL");
    await run.ended();
    expect([has(REPORT), has(join("here", "result.json"))]).toEqual([false, false]);
    expect(await remake("--quiet")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(page()).toMatch(/Not finished: the newest checkpoint is of step \d+ of 46,900/);
  });

  it("ends without a report and without complaint before its first step", async () => {
    const run = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", "--metrics-port", "0", "--run-dir", "here"]);
    await run.sees(/Metrics for Prometheus/);
    run.kill("SIGTERM");
    expect(await run.ended()).toMatchObject({ code: 143, stderr: "" });
    expect(has(REPORT)).toBe(false);
    expect(await remake()).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^lockstep: .*holds no checkpoint/),
    });
  });
});

describe("that cannot be made says so in one sentence", () => {
  it.each([
    [["report"], 2, /^lockstep: --run-dir is required/],
    [["report", "--run-dir", "nowhere"], 2, /^lockstep: --run-dir nowhere does not exist; name the folder of a run/],
    [["report", "--run-dir", "."], 2, /^lockstep: --run-dir \. holds no run/],
  ])("%j: exit code %i", async (args, code, message) => {
    expect(await cli.run(args)).toEqual({ code, signal: null, stdout: "", stderr: expect.stringMatching(message) });
  });

  it("for damaged metrics, other data and a folder that takes no file", async () => {
    expect((await cli.run([...SMALL, "--epochs", "1", "--no-report"])).code).toBe(0);
    const data = join(cli.folder(), "data");
    mkdirSync(data);
    expect(await remake("--data", data)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/lacks train-images/),
    });
    const metrics = join(cli.folder(), "here", "metrics.ndjson");
    writeFileSync(metrics, `{"type":"st\n${readFileSync(metrics, "utf8")}`);
    const damaged =
      /^lockstep: line 1 of here\/metrics\.ndjson is damaged \(it is not JSON\); remove it to do without it\n$/;
    expect(await remake()).toMatchObject({ code: 4, stderr: expect.stringMatching(damaged) });
    writeFileSync(metrics, "");
    if (process.getuid?.() === 0) mkdirSync(join(cli.folder(), REPORT));
    else chmodSync(join(cli.folder(), "here"), 0o500);
    const unwritable = /^lockstep: cannot write the report here\/report\.html: (EISDIR|EACCES)/;
    expect(await remake()).toMatchObject({ code: 1, stderr: expect.stringMatching(unwritable) });
    chmodSync(join(cli.folder(), "here"), 0o700);
  });
});
