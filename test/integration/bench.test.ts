import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { InProcessTrainer } from "../../src/bench/in-process-trainer.ts";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { childrenOf, gone, resultOf, useCli } from "../support/cli.ts";

const cli = useCli();
const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Bench {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly suites: readonly {
    readonly suite: string;
    readonly unit: string;
    readonly measurements: readonly { readonly of: object; readonly rounds: readonly number[] }[];
  }[];
}

describe("lockstep bench", () => {
  test("measures what it is asked for, writes it down, and leaves nothing behind", async () => {
    const jsonFile = join(folder, "bench.json");
    const markdownFile = join(folder, "bench.md");
    const ended = await cli.run([
      ...["bench", "--quick", "--only", "training,reduce,codec,step,exchange"],
      ...["--json", "--json-file", jsonFile, "--markdown-file", markdownFile],
    ]);
    expect(ended).toMatchObject({ code: 0 });
    const result = resultOf(ended) as unknown as Bench;
    expect(result.machine).toMatchObject({ node: process.version, cores: expect.any(Number) });
    // In the order of the help, not of the command line.
    expect(result.suites.map(({ suite }) => suite)).toEqual(["step", "reduce", "codec", "exchange", "training"]);
    for (const { suite, measurements } of result.suites) {
      expect(measurements.length, suite).toBeGreaterThan(0);
      for (const { of, rounds } of measurements) {
        expect(rounds, `${suite} ${JSON.stringify(of)}`).toEqual([expect.any(Number)]);
        expect(rounds[0], `${suite} ${JSON.stringify(of)}`).toBeGreaterThan(0);
      }
    }
    expect(JSON.parse(readFileSync(jsonFile, "utf8"))).toEqual(result);
    const markdown = readFileSync(markdownFile, "utf8");
    for (const { suite } of result.suites) expect(markdown).toContain(`## ${suite}: `);
    expect(ended.stderr).toContain(markdown.trimEnd().split("\n\n").at(-1));
    expect(readdirSync(cli.folder())).toEqual([]);
  });

  test("ends with all that it has started when it is interrupted", async () => {
    const command = cli.start(["bench", "--only", "time-to-accuracy", "--rounds", "100"]);
    await command.sees(/time to the first step/);
    let children: number[] = [];
    while (children.length === 0) children = await childrenOf(command.pid);
    command.kill("SIGINT");
    expect(await command.ended()).toMatchObject({ code: 130 });
    for (const child of children) await gone(child);
    expect(readdirSync(cli.folder())).toEqual([]);
  });

  test.each([
    [["--only", "speed"], /--only is "speed"; allowed: engine, step, .* with commas between/],
    [["--quick", "--only", "codec", "--json-file", "no/such/folder/file"], /cannot write no\/such\/folder\/file: /],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await cli.run(["bench", ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

test("the in-process trainer comes to the weights of a real run: it does all that a step needs", async () => {
  const options = ["--epochs", "1", "--limit-train", "1000", "--batch-size", "96", "--workers", "2", "--json"];
  const { weightsSha256 } = resultOf(await cli.run(["train", ...options]));
  const engine = await createEngine("wasm");
  const trainer = new InProcessTrainer(engine, await loadDataset(), 96, 1_000);
  for (let step = 0; step < Math.ceil(1_000 / 96); step++) await trainer.step();
  expect(stateSha256(trainer.average)).toBe(weightsSha256);
});
