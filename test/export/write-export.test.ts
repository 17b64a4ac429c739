import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeModelFile, writeModelFolder } from "../../src/export/write-export.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const OLD = { weightsFile: "weights-00000001.bin", weights: bytes("old weights"), model: bytes("old model") };
const NEW = { weightsFile: "weights-00000002.bin", weights: bytes("new weights"), model: bytes("new model") };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-write-export-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const content = (path: string): string => readFileSync(path, "utf8");
const filesIn = (path: string): string[] => readdirSync(path).toSorted();

describe("a file", () => {
  test("is written, and replaced only by force", async () => {
    const path = join(folder, "model.onnx");
    await writeModelFile(path, bytes("one"), false);
    await expect(writeModelFile(path, bytes("two"), false)).rejects.toMatchObject({
      ...{ code: "usage", message: expect.stringMatching(/model\.onnx exists already; .*--force/) },
    });
    expect(content(path)).toBe("one");
    await writeModelFile(path, bytes("two"), true);
    expect(content(path)).toBe("two");
    expect(filesIn(folder)).toEqual(["model.onnx"]);
  });

  test("is not written through a link, by force or not", async () => {
    writeFileSync(join(folder, "precious"), "precious");
    symlinkSync("precious", join(folder, "link"));
    await expect(writeModelFile(join(folder, "link"), bytes("one"), false)).rejects.toMatchObject({ code: "usage" });
    await writeModelFile(join(folder, "link"), bytes("one"), true);
    expect(content(join(folder, "precious"))).toBe("precious");
    expect(content(join(folder, "link"))).toBe("one");
  });

  test.each([
    ["a folder", "."],
    ["a path in a folder that is not there", "missing/model.onnx"],
    ["a path in a file", "file/model.onnx"],
  ])("cannot be %s, which is said before anything is written", async (_, name) => {
    writeFileSync(join(folder, "file"), "file");
    await expect(writeModelFile(join(folder, name), bytes("one"), true)).rejects.toMatchObject({
      ...{ code: "usage", message: expect.stringMatching(/^--out .* is (not )?a folder; .*name /) },
    });
    expect(filesIn(folder)).toEqual(["file"]);
  });
});

describe("a folder", () => {
  test("is made, and its model replaced only by force, together with its weights", async () => {
    const path = join(folder, "tfjs");
    await writeModelFolder(path, OLD, false);
    writeFileSync(join(path, "index.html"), "page");
    await expect(writeModelFolder(path, NEW, false)).rejects.toMatchObject({ code: "usage" });
    expect(filesIn(path)).toEqual(["index.html", "model.json", OLD.weightsFile]);
    await writeModelFolder(path, NEW, true);
    expect(filesIn(path)).toEqual(["index.html", "model.json", NEW.weightsFile]);
    expect(content(join(path, "model.json"))).toBe("new model");
    expect(content(join(path, NEW.weightsFile))).toBe("new weights");
    expect(content(join(path, "index.html"))).toBe("page");
  });

  test("that cannot be written whole is left as it was", async () => {
    const path = join(folder, "tfjs");
    mkdirSync(path);
    writeFileSync(join(path, OLD.weightsFile), "old weights");
    // No file can be moved over a folder that has something in it.
    mkdirSync(join(path, "model.json", "something"), { recursive: true });
    await expect(writeModelFolder(path, NEW, true)).rejects.toMatchObject({
      ...{ code: "failed", message: expect.stringMatching(/^cannot write .*model\.json: .*; make room, or/) },
    });
    expect(filesIn(path)).toEqual(["model.json", OLD.weightsFile]);
  });

  test("that was made for nothing is gone again", async () => {
    const path = join(folder, "tfjs");
    const unwritable = { ...NEW, weightsFile: "no-such-folder/weights.bin" };
    await expect(writeModelFolder(path, unwritable, false)).rejects.toMatchObject({ code: "failed" });
    expect(existsSync(path)).toBe(false);
  });

  test("cannot be a file", async () => {
    writeFileSync(join(folder, "file"), "file");
    await expect(writeModelFolder(join(folder, "file"), NEW, true)).rejects.toMatchObject({
      ...{ code: "usage", message: expect.stringContaining("is a file, but a model for TensorFlow.js is a folder") },
    });
    expect(content(join(folder, "file"))).toBe("file");
  });
});
