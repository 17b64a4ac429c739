import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareCommand } from "../../src/commands/compare.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { loadConfig } from "../../src/shared/config-sources.ts";
import { type CompareConfig, publicConfig } from "../../src/shared/config.ts";
import { addOptions, givenValues, parseArguments } from "../../src/shared/options.ts";
import { epoch } from "../coordinator/training-events.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-compare-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeRun(name: string, seed: number, testAccuracy: number): string {
  const runDir = join(folder, name);
  mkdirSync(runDir, { recursive: true });
  writeFileSync(join(runDir, "config.json"), JSON.stringify(publicConfig(configFrom("train", { seed, epochs: 1 }))));
  writeFileSync(join(runDir, "metrics.ndjson"), `${JSON.stringify(epoch({ epoch: 1, testAccuracy }))}\n`);
  return runDir;
}

async function compare(runDirs: string[], options: Partial<CompareConfig> = {}) {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof texts) => ({ write: (text: string) => (texts[name] += text) });
  const io = { stdout: stream("stdout"), stderr: stream("stderr") };
  const code = await compareCommand(configFrom("compare", { runDirs, ...options }), io);
  return { code, ...texts };
}

test("prints runs, the best first, and what seeds come to; what cannot be read is named, and not fatal", async () => {
  const [a, b] = [writeRun("a", 1, 0.97), writeRun("b", 2, 0.99)];
  mkdirSync(join(folder, "empty"));
  const { code, stdout, stderr } = await compare([a, join(folder, "empty"), b]);
  expect(code).toBe(0);
  const rows = stdout.split("\n").filter((line) => line.startsWith("| "));
  expect(rows[0]).toMatch(/^\| run +\| seed \| test accuracy \|/);
  expect(rows[2]).toMatch(/^\| b +\| +2 \| +99\.00 % \|/);
  expect(rows[3]).toMatch(/^\| a +\| +1 \| +97\.00 % \|/);
  expect(stdout).toMatch(/\| test accuracy +\| +2 \| 98\.00 % \| 1\.41 % \| 97\.00 % \| 99\.00 % \|/);
  expect(stderr).toBe(`warning: ${join(folder, "empty")} holds no run: config.json is not there; it is left out\n`);
});

test("as JSON: one object, the last line on stdout", async () => {
  const runDirs = [writeRun("a", 1, 0.97), writeRun("b", 2, 0.99)];
  const { stdout, stderr } = await compare(runDirs, { json: true });
  expect(stdout.trimEnd()).not.toContain("\n");
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ by: "test-accuracy", differing: ["seed"], leftOut: [] },
    runs: [
      { name: "b", runDir: runDirs[1], ending: { type: "complete" }, figures: { testAccuracy: 0.99 } },
      { name: "a", course: [{ epoch: 1, testAccuracy: 0.97 }] },
    ],
    groups: [{ seeds: [1, 2], testAccuracy: { n: 2, min: 0.97, max: 0.99 } }],
  });
  expect(stderr).toContain("| run |");
});

test("writes a page where it is asked to", async () => {
  const html = join(folder, "page.html");
  const { stdout } = await compare([writeRun("a", 1, 0.97)], { html });
  expect(stdout).toContain(`Page ${html}\n`);
  expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>[^]*1 run compared[^]*<\/html>\s*$/);
  await expect(compare([join(folder, "a")], { html: folder })).rejects.toMatchObject({ code: "failed" });
});

test("a folder named twice is one run; two runs of one name are told apart", async () => {
  const [one, other] = [writeRun("x/run", 1, 0.97), writeRun("y/run", 2, 0.99)];
  const { stdout } = await compare([one, `${one}/`, other]);
  expect(stdout.split("\n").filter((line) => line.startsWith(`| ${folder}`))).toHaveLength(2);
});

test("without any run it ends, and says of each folder why", async () => {
  const nothing = join(folder, "nothing");
  await expect(compare([folder, nothing])).rejects.toMatchObject({
    code: "refused",
    message: `${folder} holds no run: config.json is not there\n${nothing} does not exist\nname folders of runs, such as runs/*`,
  });
});

describe("the folders", () => {
  async function parse(...argv: string[]): Promise<CompareConfig | undefined> {
    let config: CompareConfig | undefined;
    const program = new Command("lockstep");
    const command = addOptions(program.command("compare"), "compare");
    command.action(() => {
      config = loadConfig("compare", givenValues(command, "compare"), { LOCKSTEP_RUN_DIRS: "z" });
    });
    await parseArguments(program, argv);
    return config;
  }

  test("stand on the command line by themselves, before options or behind", async () => {
    const expected = { runDirs: ["a", "b"], by: "time", json: false };
    expect(await parse("compare", "a", "b", "--by", "time")).toEqual(expected);
    expect(await parse("compare", "--by", "time", "a", "b")).toEqual(expected);
  });

  test("must be named there, and not in the environment", async () => {
    const message = "missing required argument 'RUN_DIR'; see lockstep compare --help";
    await expect(parse("compare")).rejects.toMatchObject({ code: "usage", message });
    await expect(parse("compare", "")).rejects.toMatchObject({
      code: "usage",
      message: /^RUN_DIR is \[""\]; allowed: /,
    });
  });
});
