import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSharedLibrary } from "../../src/setup-gpu/elf.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { tinyElf } from "./tiny-elf.ts";

const readOf = (bytes: Buffer) => (offset: number, length: number) => bytes.subarray(offset, offset + length);
const read = (bytes: Buffer) => readSharedLibrary("libx.so", readOf(bytes));

describe("a shared library", () => {
  const library = read(
    tinyElf({
      soname: "libx.so.2",
      needed: ["liba.so", "libb.so.6"],
      runpath: "$ORIGIN/:$ORIGIN/../nvidia/cudnn/lib",
      defined: ["TF_NewStatus", "TFE_NewOp", "other"],
      undefined: ["TF_Version", "malloc"],
      sections: [".nv_fatbin"],
    }),
  );

  test("says its name, what it needs and where it looks for that", () => {
    expect(library).toMatchObject({ machine: "x86-64", soname: "libx.so.2", needed: ["liba.so", "libb.so.6"] });
    expect(library.runpath).toEqual(["$ORIGIN/", "$ORIGIN/../nvidia/cudnn/lib"]);
    expect(library.sections.has(".nv_fatbin")).toBe(true);
  });

  test("lists the symbols that it has and those that it lacks", () => {
    expect(library.symbols("TF", "defined")).toEqual(["TF_NewStatus", "TFE_NewOp"]);
    expect(library.symbols("TF_", "defined")).toEqual(["TF_NewStatus"]);
    expect(library.symbols("", "undefined")).toEqual(["", "TF_Version", "malloc"]);
  });
});

test("other processors are named", () => {
  expect(read(tinyElf({ machine: 183 })).machine).toBe("arm64");
  expect(read(tinyElf({ machine: 21 })).machine).toBe("machine 21");
});

test("what is no shared library is refused", () => {
  expect(() => read(Buffer.from("MZ and something else that is long enough"))).toThrow(
    /not a shared library for Linux/,
  );
  expect(() => read(Buffer.alloc(0))).toThrow(/libx\.so is not a shared library/);
  expect(() => read(tinyElf({ type: 2 }))).toThrow(/another ELF file, of type 2/);
});

test("a file that is cut short anywhere, or has other bytes, is read or refused, and never crashes", () => {
  const bytes = tinyElf({ soname: "libx.so", defined: ["TF_Version"], runpath: "/lib" });
  for (let length = 0; length < bytes.length; length++) {
    expect(() => read(bytes.subarray(0, length))).toThrow(LockstepError);
  }
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = value;
      try {
        read(damaged).symbols("TF", "defined");
      } catch (error) {
        expect(error).toBeInstanceOf(LockstepError);
      }
    }),
    { numRuns: 2_000 },
  );
});
