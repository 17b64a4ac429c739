import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SetupResult } from "../../src/setup-gpu/setup.ts";

/** `npm run setup:gpu` with a real compiler and a real TensorFlow, in a copy of what it changes. */

const LIBTENSORFLOW = process.env["LIBTENSORFLOW_FOR_TESTS"];
const REASON = LIBTENSORFLOW === undefined ? " (LIBTENSORFLOW_FOR_TESTS names no wheel or folder of TensorFlow)" : "";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGE = "@tensorflow/tfjs-node-gpu";

let folder: string;
/** A copy of lockstep: its own build and its own tfjs-node-gpu, all other packages are links. */
let copy: string;
let cache: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-setup-test-"));
  cache = join(folder, "cache");
  copy = join(folder, "lockstep");
  mkdirSync(join(copy, "node_modules/@tensorflow"), { recursive: true });
  for (const name of ["dist", "package.json"]) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  for (const scope of ["", "@tensorflow/"]) {
    for (const name of readdirSync(join(ROOT, "node_modules", scope))) {
      const path = join("node_modules", scope, name);
      if (!existsSync(join(copy, path)) && scope + name !== PACKAGE) symlinkSync(join(ROOT, path), join(copy, path));
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const packageFolder = (): string => join(copy, "node_modules", PACKAGE);
const binding = (): string => join(packageFolder(), "lib/napi-v8/tfjs_binding.node");

function putPackage(): void {
  rmSync(packageFolder(), { recursive: true, force: true });
  cpSync(join(ROOT, "node_modules", PACKAGE), packageFolder(), { recursive: true });
  rmSync(join(packageFolder(), "lib"), { recursive: true, force: true });
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function setUp(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [join(copy, "dist/setup-gpu.js"), "--cache", cache, ...args], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  return { code: child.exitCode, stdout, stderr };
}

function resultOf({ code, stdout, stderr }: Ended): SetupResult {
  expect(stderr).toContain("The tensorflow engine works");
  expect(code).toBe(0);
  return JSON.parse(stdout) as SetupResult;
}

describe.skipIf(LIBTENSORFLOW === undefined)(`with a real TensorFlow${REASON}`, () => {
  const given = LIBTENSORFLOW ?? "";
  /** Of the libraries that the first test has unpacked or found. */
  let unpacked = "";

  test("the binding is compiled, loads, and computes what the reference engine does", async () => {
    putPackage();
    const missing = await setUp(["--check"]);
    expect(missing.stderr).toMatch(/has no binding yet: run npm run setup:gpu/);
    expect(missing.code).toBe(1);

    const result = resultOf(await setUp(["--libtensorflow", given, "--json"]));
    expect(result).toMatchObject({ ok: true, engine: "tensorflow", selfTest: { ok: true } });
    expect(result.selfTest?.runtime).toMatch(/^TensorFlow \d/);
    expect(result.selfTest?.largestDifference).toBeLessThan(1e-3);
    expect(readdirSync(join(packageFolder(), "lib/napi-v8"))).toEqual([basename(binding())]);
    unpacked = result.libtensorflow ?? "";
    if (given.endsWith(".whl")) expect(unpacked).toContain(cache);
  });

  test("a package that npm has removed is restored, a folder with TensorFlow will do, and --check says what is there", async () => {
    putPackage();
    // Stands in for npm, which would need the internet: notes what it is told, and puts the package there.
    const npm = join(folder, "npm-cli.js");
    const kept = join(folder, "package");
    renameSync(packageFolder(), kept);
    writeFileSync(
      npm,
      `const { cpSync, writeFileSync } = require("fs");
      writeFileSync(${JSON.stringify(join(folder, "npm.json"))}, JSON.stringify([process.cwd(), ...process.argv.slice(2)]));
      cpSync(${JSON.stringify(kept)}, ${JSON.stringify(packageFolder())}, { recursive: true });`,
    );
    const addOn = join(copy, "node_modules/webgpu");
    if (!existsSync(addOn)) {
      mkdirSync(addOn);
      writeFileSync(join(addOn, "package.json"), "{}");
    }
    const ended = await setUp(["--libtensorflow", unpacked, "--json"], { npm_execpath: npm });
    expect(resultOf(ended).libtensorflow).toBe(unpacked);
    const [where, ...args] = JSON.parse(readFileSync(join(folder, "npm.json"), "utf8")) as string[];
    expect(where).toBe(copy);
    expect(args).toEqual(expect.arrayContaining(["install", "--no-save", "--ignore-scripts", "webgpu@0.6.2"]));

    const checked = await setUp(["--check"]);
    expect(checked.stderr).toMatch(/^@tensorflow\/tfjs-node-gpu 4\.22\.0 uses TensorFlow /m);
    expect(checked.stderr).toContain(` in ${unpacked}\n`);
    expect(checked.code).toBe(0);
  });

  test("a library without the functions that are called is refused, and what worked before stays", async () => {
    putPackage();
    mkdirSync(dirname(binding()), { recursive: true });
    writeFileSync(binding(), "what worked before");
    const broken = join(folder, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "empty.cc"), 'extern "C" void TF_Version() {}\n');
    for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]) {
      execFileSync("g++", ["-shared", "-fPIC", "-o", join(broken, name), join(broken, "empty.cc")]);
    }
    const { code, stderr } = await setUp(["--libtensorflow", broken, "--headers", unpacked]);
    expect(stderr).toMatch(/lacks 54 of the functions that @tensorflow\/tfjs-node-gpu calls \(TF_\w+, /);
    expect(code).toBe(1);
    expect(readFileSync(binding(), "utf8")).toBe("what worked before");
  });

  test("what does not compile is refused by the compiler's first error, and leaves nothing", async () => {
    putPackage();
    writeFileSync(join(packageFolder(), "binding/tfjs_binding.cc"), "#error not today\n");
    const { code, stderr } = await setUp(["--libtensorflow", unpacked]);
    expect(stderr).toMatch(/g\+\+ could not compile the binding \(exit code 1\): .*not today/);
    expect(code).toBe(1);
    expect(readdirSync(join(packageFolder(), "lib/napi-v8"))).toEqual([]);
  });
});

test("a damaged wheel is refused, and nothing of it stays", async () => {
  const wheel = join(folder, "tensorflow-2.18.0-cp311-x.whl");
  writeFileSync(wheel, "PK\u0003\u0004 and then the connection broke");
  // Any program that answers --version passes for a compiler until something is compiled.
  const { code, stderr } = await setUp(["--libtensorflow", wheel, "--compiler", process.execPath]);
  expect(stderr).toMatch(/^setup:gpu: .*tensorflow-2\.18\.0-cp311-x\.whl is damaged: .*; get it again$/m);
  expect(code).toBe(1);
  expect(readdirSync(cache).filter((name) => name.includes("cp311") || name.startsWith("."))).toEqual([]);
});

test("mistakes in the command line exit with 2, help with 0", async () => {
  const mistake = await setUp(["--download", "cuda13"]);
  expect(mistake).toMatchObject({ code: 2, stdout: "" });
  expect(mistake.stderr).toMatch(/^setup:gpu: --download is cpu or cuda12, not "cuda13"; see /);
  const help = await setUp(["--help"]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("--libtensorflow PATH");
});

describe("the self-test, in a process of its own", () => {
  const load = async () =>
    (await import(join(ROOT, "dist/engine-self-test/run-self-test.js"))) as Pick<
      typeof import("../../src/engine-self-test/run-self-test.ts"),
      "selfTest"
    >;
  const preload = (code: string) => ({
    ...process.env,
    NODE_OPTIONS: `--import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(code)}`)}`,
  });

  test("finds that an engine works", async () => {
    const { selfTest } = await load();
    expect(await selfTest("wasm")).toMatchObject({ ok: true, engine: "wasm" });
  });

  test("turns a crash into a result", async () => {
    const { selfTest } = await load();
    const environment = preload('process.kill(process.pid, "SIGSEGV"); for (;;);');
    const result = await selfTest("wasm", { environment });
    expect(result).toMatchObject({ ok: false, problem: "its process crashed (SIGSEGV)" });
  });

  test("turns a hang into a result", async () => {
    const { selfTest } = await load();
    const result = await selfTest("wasm", { environment: preload("for (;;);"), timeoutMs: 500 });
    expect(result.problem).toMatch(/^no result within 0\.5 s/);
  });
});
