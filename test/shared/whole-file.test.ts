import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createFileSync,
  nameOfTemporary,
  replaceFile,
  replaceFileSync,
  temporaryPath,
} from "../../src/shared/whole-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-whole-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a file is replaced, and nothing else is left behind", async () => {
  writeFileSync(path, "a longer text from before");
  await replaceFile(path, Buffer.from("new"));
  expect(readFileSync(path, "utf8")).toBe("new");
  replaceFileSync(path, "newer");
  expect(readFileSync(path, "utf8")).toBe("newer");
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("a file is made only where there is none", () => {
  createFileSync(path, "first");
  expect(() => createFileSync(path, "second")).toThrow(expect.objectContaining({ code: "EEXIST" }));
  expect(readFileSync(path, "utf8")).toBe("first");
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("what cannot be written leaves nothing behind, and what was there stays", async () => {
  mkdirSync(path);
  await expect(replaceFile(path, Buffer.from("new"))).rejects.toMatchObject({ code: "EISDIR" });
  expect(() => replaceFileSync(path, "new")).toThrow("EISDIR");
  expect(() => createFileSync(path, "new")).toThrow("EEXIST");
  expect(() => createFileSync(join(folder, "nowhere", "file"), "new")).toThrow("ENOENT");
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("a temporary file tells what it was for, and no two are the same", () => {
  const names = [temporaryPath(path), temporaryPath(path)].map((each) => basename(each));
  expect(new Set(names).size).toBe(2);
  expect(names.map(nameOfTemporary)).toEqual(["file", "file"]);
  for (const name of ["file", ".file", "file.0123abcd.tmp", ".file.0123abc.tmp", ".file.0123abcd.tmp.gz"]) {
    expect(nameOfTemporary(name)).toBeUndefined();
  }
});
