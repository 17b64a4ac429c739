import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkVersion, compilerArguments, findCompiler } from "../../src/setup-gpu/compile.ts";
import { writeHeaderShims } from "../../src/setup-gpu/header-shims.ts";
import { npmArguments } from "../../src/setup-gpu/node-package.ts";
import { unsupportedPlatform } from "../../src/setup-gpu/platform.ts";
import { pipArguments, wheelPrefix, WHEELS } from "../../src/setup-gpu/wheels.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-compile-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the binding is linked with both libraries and finds them where they are, whatever the folder is called", () => {
  const library = {
    folder: "/a b,c/tensorflow",
    libraries: ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"],
    headers: undefined,
    version: "2.18.0",
    hasCuda: true,
  };
  const compilation = { library, headers: "/h", packageFolder: "/p", compiler: "g++" };
  const args = compilerArguments(compilation, "/n", "/s", "/out.node");
  expect(args.join(" ")).toContain("-I /n -I /h -idirafter /s /p/binding/tfjs_backend.cc /p/binding/tfjs_binding.cc");
  expect(args.slice(args.indexOf("-L"))).toEqual([
    ...["-L", "/a b,c/tensorflow", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
    ...["-Xlinker", "-rpath", "-Xlinker", "/a b,c/tensorflow", "-o", "/out.node"],
  ]);
});

test("headers that a version has elsewhere are forwarded to", () => {
  const put = (path: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "");
  };
  put("include/xla/tsl/platform/ctstring_internal.h");
  put("include/tsl/platform/ctstring.h");
  put("include/tensorflow/core/platform/ctstring.h");
  writeHeaderShims(join(folder, "include"), join(folder, "shims"));
  const shim = (path: string): string => readFileSync(join(folder, "shims", path), "utf8");
  expect(shim("tensorflow/core/platform/ctstring_internal.h")).toBe(
    `#include "${folder}/include/xla/tsl/platform/ctstring_internal.h"\n`,
  );
  expect(shim("xla/tsl/platform/ctstring.h")).toBe(`#include "${folder}/include/tsl/platform/ctstring.h"\n`);
  expect(() => shim("tensorflow/core/platform/ctstring.h")).toThrow(/ENOENT/);
});

test("a TensorFlow before 2.9 is too old", () => {
  for (const version of ["2.9.1", "2.18.0", "2.21.0-rc1", "3.0.0"]) expect(() => checkVersion(version)).not.toThrow();
  for (const version of ["2.8.4", "1.15.0"])
    expect(() => checkVersion(version)).toThrow(`TensorFlow ${version} is too old`);
});

test("a compiler that is named and not there is an error that says what to install", async () => {
  await expect(findCompiler(join(folder, "c++"))).rejects.toThrow(
    /no C\+\+ compiler \(tried .*\): apt-get install g\+\+/,
  );
});

test.each([
  [{ platform: "linux", arch: "x64", glibc: "2.36" }, undefined],
  [{ platform: "linux", arch: "x64", glibc: undefined }, /GNU C library.*Alpine/],
  [{ platform: "linux", arch: "arm64", glibc: "2.36" }, /needs an x86-64 processor, this is arm64/],
  [{ platform: "darwin", arch: "arm64", glibc: undefined }, /needs Linux on x86-64, this is darwin on arm64/],
  [{ platform: "win32", arch: "x64", glibc: undefined }, /needs Linux/],
] as const)("%j", (platform, message) => {
  const sentence = unsupportedPlatform(platform);
  if (message === undefined) expect(sentence).toBeUndefined();
  else expect(sentence).toMatch(message);
});

test("npm restores what is locked, runs no scripts and keeps the add-ons", () => {
  expect(npmArguments(["webgpu@0.6.2"], true).join(" ")).toBe(
    "install --no-save --save-prod --ignore-scripts --no-audit --no-fund webgpu@0.6.2",
  );
  expect(npmArguments([], false)).toContain("--omit=dev");
});

test("pip is asked for the files whose sums are known, for any machine", () => {
  const line = pipArguments("cuda12", "/w").join(" ");
  expect(line).toMatch(
    /^-m pip download --no-deps --only-binary=:all: .*--python-version 311 .*--dest \/w tensorflow==/,
  );
  expect(WHEELS.cuda12).toHaveLength(13);
  for (const { requirement, sha256 } of [...WHEELS.cpu, ...WHEELS.cuda12]) {
    expect(requirement).toMatch(/^[a-z0-9-]+==[0-9.]+$/);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(wheelPrefix("nvidia-cuda-nvrtc-cu12==12.5.82")).toBe("nvidia_cuda_nvrtc_cu12-12.5.82-");
});
