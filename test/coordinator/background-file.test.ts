import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BackgroundFile } from "../../src/coordinator/background-file.ts";

const disk = vi.hoisted(() => ({ isFull: false }));

/** A disk that takes half of what it is given, and then nothing more. */
vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const { promisify } = await import("node:util");
  const whole = promisify(fs.write);
  const write = Object.assign(() => {}, {
    [promisify.custom]: async (fd: number, bytes: Uint8Array, from: number, length: number, position: number) => {
      if (!disk.isFull) return whole(fd, bytes, from, length, position);
      if (from > 0) throw new Error("ENOSPC: no space left on device");
      return whole(fd, bytes, from, Math.floor(length / 2), position);
    },
  });
  return { ...fs, write };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-file-"));
  disk.isFull = false;
});
afterEach(() => rmSync(folder, { recursive: true }));

function setUp(path = join(folder, "it")) {
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const file = new BackgroundFile({ path, option: "--it", what: "the thing", head: "[0", tail: "]\n", warn });
  return { file, path, warnings, content: () => readFileSync(path, "utf8") };
}

test("what is added stands between head and tail, after every flush", async () => {
  const { file, content } = setUp();
  expect(content()).toBe("[0]\n");
  // With nothing to write, the next flush is still to come.
  file.flush();
  file.add(",1");
  file.flush();
  await vi.waitFor(() => expect(content()).toBe("[0,1]\n"), { interval: 1 });
  file.add(",2");
  expect(content()).toBe("[0,1]\n");
  await file.close();
  expect(content()).toBe("[0,1,2]\n");
});

test("a disk that is full is reported once; what was written whole stays", async () => {
  const { file, path, content, warnings } = setUp();
  file.add(",1");
  file.flush();
  await vi.waitFor(() => expect(content()).toBe("[0,1]\n"), { interval: 1 });
  disk.isFull = true;
  file.add(",2");
  file.flush();
  await vi.waitFor(() => expect(file.hasFailed).toBe(true), { interval: 1 });
  file.add(",3");
  await file.close();
  expect(content()).toBe("[0,1]\n");
  expect(warnings).toEqual([`cannot write the thing ${path} any more: ENOSPC: no space left on device`]);
});

test("a disk that is too slow ends it, before memory does", async () => {
  const { file, path, content, warnings } = setUp();
  const megabyte = "x".repeat(2 ** 20);
  // All in one turn: nothing can be written meanwhile.
  for (let i = 0; i < 100; i++) file.add(megabyte);
  expect(warnings).toEqual([`cannot write the thing ${path} any more: the disk is too slow`]);
  await file.close();
  expect(content()).toMatch(/^\[0x+\]\n$/);
});

test("what comes after it was closed is nobody's", async () => {
  const { file, content, warnings } = setUp();
  file.add(",1");
  await file.close();
  file.add(",2");
  file.flush();
  await new Promise(setImmediate);
  expect(content()).toBe("[0,1]\n");
  expect(warnings).toEqual([]);
});
