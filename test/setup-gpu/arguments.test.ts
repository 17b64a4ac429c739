import { expect, test } from "vitest";
import { parseSetupArguments } from "../../src/setup-gpu/arguments.ts";
import type { LockstepError } from "../../src/shared/errors.ts";

const parse = (line: string, environment = {}) => parseSetupArguments(line.split(" ").filter(Boolean), environment);

test("without options it looks for a libtensorflow", () => {
  expect(parse("", { XDG_CACHE_HOME: "/c" })).toMatchObject({
    engine: "tensorflow",
    check: false,
    libtensorflow: undefined,
    download: undefined,
    cacheFolder: "/c/lockstep/libtensorflow",
    selfTestTimeoutMs: undefined,
  });
  expect(parse("-h")).toBe("help");
});

test("paths become absolute, seconds milliseconds", () => {
  expect(parse("--libtensorflow /a/../b.whl --cache /d --self-test-timeout 1800 --compiler clang++")).toMatchObject({
    libtensorflow: "/b.whl",
    cacheFolder: "/d",
    selfTestTimeoutMs: 1_800_000,
    compiler: "clang++",
  });
  expect(parse("--download cuda12 --download-only /w")).toMatchObject({ download: "cuda12", downloadOnly: "/w" });
});

test.each([
  ["--foo", /unknown option '--foo'/],
  ["cuda12", /unexpected argument 'cuda12'/],
  ["--download", /--download/],
  ["--download gpu", /--download is cpu or cuda12, not "gpu"/],
  ["--engine wasm", /--engine is tensorflow or webgpu, not "wasm"/],
  ["--libtensorflow a --download cpu", /exclude each other/],
  ["--download-only w", /needs --download/],
  ["--check --download cpu", /--check changes nothing/],
  ["--engine webgpu --libtensorflow a", /takes no libtensorflow/],
  ["--self-test-timeout 0", /from 1 to 86400, not "0"/],
  ["--cache=", /--cache is empty/],
])("%s is a mistake in the command line", (line, message) => {
  expect(() => parse(line)).toThrow(message);
  expect(() => parse(line)).toThrow(expect.objectContaining({ code: "usage" }) as LockstepError);
});
