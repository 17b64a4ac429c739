import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LogFile, type LogFileOptions } from "../../../src/coordinator/log/log-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-log-"));
  path = join(folder, "log.ndjson");
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(options: Partial<LogFileOptions> = {}) {
  const warnings: string[] = [];
  const file = new LogFile({ path, warn: (message) => warnings.push(message), ...options });
  return { file, warnings };
}

const content = (): string => readFileSync(path, "utf8");

test("what is added is written soon, in order, by itself", async () => {
  const { file, warnings } = open();
  const all = Array.from({ length: 500 }, (_, i) => `{"é":${i}}\n`);
  for (const line of all.slice(0, 250)) file.add(line);
  await vi.waitFor(() => expect(content()).toBe(all.slice(0, 250).join("")), { interval: 1 });
  for (const line of all.slice(250)) file.add(line);
  await file.close();
  file.add("too late\n");
  expect(content()).toBe(all.join(""));
  expect(warnings).toEqual([]);
});

test.each([
  ["a whole one", '{"a":1}\n', '{"a":1}\n'],
  ["one with a torn last line", '{"a":1}\n{"b":', '{"a":1}\n'],
  ["one with nothing but a torn line", '{"a"', ""],
])("is gone on with: %s", async (_, before, kept) => {
  writeFileSync(path, before);
  const { file } = open();
  file.add('{"c":3}\n');
  await file.close();
  expect(content()).toBe(`${kept}{"c":3}\n`);
});

test("is bounded: it says so once, as its last line, and again where it is gone on with", async () => {
  const told: string[] = [];
  const openSmall = (): LogFile => {
    const file: LogFile = new LogFile({
      ...{ path, maxBytes: 100 },
      warn: (message) => {
        told.push(message);
        file.add("full\n");
      },
    });
    return file;
  };
  const file = openSmall();
  for (let i = 0; i < 30; i++) file.add("123456789\n");
  await file.close();
  expect(content()).toBe(`${"123456789\n".repeat(10)}full\n`);
  expect(told).toEqual([`the log ${path} is full (100 bytes): what follows is not written there`]);
  const again = openSmall();
  for (let i = 0; i < 30; i++) again.add("123456789\n");
  await again.close();
  expect(content()).toBe(`${"123456789\n".repeat(10)}full\nfull\n`);
});

test("that cannot be opened, or written, is said once and costs nothing else", async () => {
  mkdirSync(path);
  const { file, warnings } = open();
  for (let i = 0; i < 3; i++) file.add("x\n");
  await file.close();
  expect(warnings).toEqual([expect.stringMatching(`^cannot write the log ${path}, what follows is lost: EISDIR`)]);
  const full = open({ path: "/dev/full" });
  full.file.add("x\n");
  await vi.waitFor(() => expect(full.warnings).toHaveLength(1), { interval: 1 });
  full.file.add("x\n");
  await full.file.close();
  expect(full.warnings).toEqual([expect.stringMatching(/^cannot write the log \/dev\/full, .*ENOSPC/)]);
});

test.each([
  ["ends", "process.exit(3)", 3],
  ["throws", 'throw new Error("boom")', 1],
  ["rejects", 'void Promise.reject(new Error("boom"))', 1],
])("loses nothing when the process %s while it is being written", (_, end, code) => {
  const module = new URL("../../../src/coordinator/log/log-file.ts", import.meta.url).href;
  const script = `
    const { LogFile } = await import(${JSON.stringify(module)});
    const file = new LogFile({ path: ${JSON.stringify(path)}, warn: () => {} });
    for (let i = 0; i < 1000; i++) file.add(i + "\\n");
    await new Promise(setImmediate);
    for (let i = 1000; i < 2000; i++) file.add(i + "\\n");
    ${end};
  `;
  const ended = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
  expect(ended.status).toBe(code);
  expect(content()).toBe(Array.from({ length: 2000 }, (__, i) => `${i}\n`).join(""));
});
