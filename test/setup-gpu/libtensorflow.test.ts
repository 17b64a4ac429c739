import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_API_SYMBOLS, missingSymbols } from "../../src/setup-gpu/c-api.ts";
import { checkUsable, findIn, type Libtensorflow, versionOf } from "../../src/setup-gpu/libtensorflow.ts";
import { bestFirst, search } from "../../src/setup-gpu/search.ts";
import { tinyElf, type TinyElf } from "./tiny-elf.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-libtensorflow-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: Buffer | string = ""): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

/** As a wheel has it. Half of the C API is in either library. */
function putWheel(inner: string, framework: TinyElf = {}): void {
  const middle = C_API_SYMBOLS.length / 2;
  put(join(inner, "libtensorflow_cc.so.2"), tinyElf({ defined: C_API_SYMBOLS.slice(0, middle) }));
  put(
    join(inner, "libtensorflow_framework.so.2"),
    tinyElf({ defined: C_API_SYMBOLS.slice(Math.floor(middle)), ...framework }),
  );
  put(join(inner, "include/tensorflow/c/c_api.h"));
}

test("the binding calls 55 functions of the C API", () => {
  expect(C_API_SYMBOLS).toHaveLength(55);
  expect(new Set(C_API_SYMBOLS).size).toBe(55);
  expect(missingSymbols(C_API_SYMBOLS)).toEqual([]);
  expect(missingSymbols(C_API_SYMBOLS.filter((name) => name !== "TFE_Execute"))).toEqual(["TFE_Execute"]);
});

describe("a libtensorflow is found", () => {
  test("in a virtual environment, by its folder, its site-packages or itself, with its version", () => {
    putWheel("lib/python3.11/site-packages/tensorflow", { sections: [".nv_fatbin"] });
    put("lib/python3.11/site-packages/tensorflow-2.18.0.dist-info/METADATA");
    for (const inner of ["", "lib/python3.11/site-packages", "lib/python3.11/site-packages/tensorflow"]) {
      const found = findIn(join(folder, inner));
      expect(found).toMatchObject({ version: "2.18.0", hasCuda: true });
      expect(found?.folder).toBe(join(folder, "lib/python3.11/site-packages/tensorflow"));
      expect(found?.headers).toBe(join(folder, "lib/python3.11/site-packages/tensorflow/include"));
      expect(() => checkUsable(found!, "here")).not.toThrow();
    }
  });

  test("in an unpacked official archive, whose links tell the version", () => {
    for (const name of ["libtensorflow", "libtensorflow_framework"]) {
      put(`lib/${name}.so.2.16.2`, tinyElf({ defined: C_API_SYMBOLS }));
      symlinkSync(`${name}.so.2.16.2`, join(folder, `lib/${name}.so.2`));
    }
    put("include/tensorflow/c/c_api.h");
    expect(findIn(folder)).toEqual({
      folder: join(folder, "lib"),
      libraries: ["libtensorflow.so.2", "libtensorflow_framework.so.2"],
      headers: join(folder, "include"),
      version: "2.16.2",
      hasCuda: false,
    });
  });

  test("in an archive for Java, without headers", () => {
    putWheel("org/tensorflow/internal/c_api/linux-x86_64");
    rmSync(join(folder, "org/tensorflow/internal/c_api/linux-x86_64/include"), { recursive: true });
    expect(findIn(folder)).toMatchObject({ headers: undefined, version: undefined });
  });

  test("not where one of its two libraries is missing", () => {
    putWheel("tensorflow");
    rmSync(join(folder, "tensorflow/libtensorflow_framework.so.2"));
    expect(findIn(folder)).toBeUndefined();
    expect(findIn(join(folder, "nowhere"))).toBeUndefined();
  });
});

test("one for another processor is refused", () => {
  putWheel("tensorflow", { machine: 183 });
  expect(() => checkUsable(findIn(folder)!, "x.whl")).toThrow(
    /in x\.whl is for another processor: libtensorflow_framework\.so\.2 is for arm64/,
  );
});

test("one that lacks functions is refused by their names", () => {
  putWheel("tensorflow", { defined: ["TF_Other"] });
  expect(() => checkUsable(findIn(folder)!, "x.whl")).toThrow(/lacks 28 of the functions.*\(\w+, \w+, \w+, \.\.\.\)/);
});

test("versions are in the names of files", () => {
  expect(versionOf(["six.py", "tensorflow_cpu-2.18.0.dist-info"])).toBe("2.18.0");
  expect(versionOf(["tensorflow-2.21.0rc1.dist-info"])).toBe("2.21.0");
  expect(versionOf(["libtensorflow.so.2.9.1"])).toBe("2.9.1");
  expect(versionOf(["libtensorflow.so.2", "tensorflow_estimator-2.15.0.dist-info/x", "keras-3.1.0.dist-info"])).toBe(
    undefined,
  );
});

describe("of several", () => {
  const some = (version: string | undefined, hasCuda: boolean): Libtensorflow => {
    return { folder: `${version}`, libraries: [], headers: undefined, version, hasCuda };
  };
  const all = [some(undefined, true), some("2.9.1", true), some("2.18.0", false), some("2.16.2", true)];

  test("those with CUDA come first where there is a GPU, then the newest", () => {
    expect(bestFirst(all, true).map(({ version }) => version)).toEqual(["2.16.2", "2.9.1", undefined, "2.18.0"]);
    expect(bestFirst(all, false).map(({ version }) => version)).toEqual(["2.18.0", "2.16.2", "2.9.1", undefined]);
  });

  test("the one that TF_LIB names is taken, and it is an error when there is none", async () => {
    putWheel("tensorflow");
    const found = await search(join(folder, "cache"), false, { TF_LIB: folder });
    expect(found.map((each) => each.folder)).toEqual([join(folder, "tensorflow")]);
    await expect(search(folder, false, { TF_LIB: "/nowhere" })).rejects.toThrow(/\/nowhere, which TF_LIB names/);
  });

  test("the cache's are found, and damaged ones passed over", async () => {
    putWheel("cache/tensorflow-2.18.0-12345678/tensorflow");
    put("cache/tensorflow-2.17.0-12345678/tensorflow/libtensorflow_cc.so.2", "not a library, but long enough for one");
    put("cache/tensorflow-2.17.0-12345678/tensorflow/libtensorflow_framework.so.2");
    const found = await search(join(folder, "cache"), false, { PATH: "", PYTHON: join(folder, "no-python") });
    expect(found.map((each) => each.folder)).toContain(join(folder, "cache/tensorflow-2.18.0-12345678/tensorflow"));
    expect(found.map((each) => each.folder).join()).not.toContain("2.17.0");
  });
});
