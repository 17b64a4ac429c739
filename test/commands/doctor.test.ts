import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkNode, checkPort, checkRunFolder, machineChecks } from "../../src/commands/doctor/checks.ts";
import { worstDifference } from "../../src/worker/engines/worst-difference.ts";
import { type Check, type Finding, findOut } from "../../src/commands/doctor/finding.ts";
import { doctorCommand } from "../../src/commands/doctor.ts";
import { PARAMETER_COUNT, tensor } from "../../src/shared/model/lenet5.ts";

/** Runs the command; what it printed where, and its exit code. */
async function doctor(options: { json?: boolean; isTTY?: boolean; env?: Record<string, string>; checks?: Check[] }) {
  const printed = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof printed) => ({
    isTTY: options.isTTY,
    write: (text: string) => (printed[name] += text),
  });
  const io = { stdout: stream("stdout"), stderr: stream("stderr"), env: options.env ?? {} };
  const code = await doctorCommand({ json: options.json ?? false }, io, options.checks);
  return { ...printed, code };
}

const fine: Check = { name: "first", run: () => ({ status: "ok", found: "here" }) };
const odd: Check = { name: "a second", run: () => ({ status: "warning", found: "in use", fix: "take another" }) };
const broken: Check = {
  name: "third",
  fix: "npm ci",
  run: () => {
    throw new Error("not there\nstack");
  },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doctor-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the report", () => {
  test("is aligned, names the fix of what throws, and ends with a verdict", async () => {
    const { stdout, stderr, code } = await doctor({ checks: [fine, odd, broken] });
    expect(stdout.split("\n")).toEqual([
      "ok       first     here",
      "warning  a second  in use",
      "                   -> take another",
      "problem  third     not there",
      "                   -> npm ci",
      "This machine cannot train yet: mend what is marked as a problem, then ask again.",
      "",
    ]);
    expect([stderr, code]).toEqual(["", 1]);
  });

  test("has a line for each thing that a check finds, and none where there is nothing to say", async () => {
    const run = (): Finding[] => [
      { status: "ok", found: "two" },
      { status: "warning", found: "new", name: "GPU 1" },
    ];
    const checks: Check[] = [
      { name: "GPUs", run },
      { name: "libraries", run: () => [] },
    ];
    const { stdout, stderr } = await doctor({ checks, json: true });
    expect(stderr).toMatch(/^ok {7}GPUs {7}two\nwarning {2}GPU 1 {6}new\nThis machine can train/);
    expect(JSON.parse(stdout)).toMatchObject({ checks: [{ check: "GPUs" }, { check: "GPU 1", status: "warning" }] });
  });

  test("what training can do without is a warning, also when its check fails", async () => {
    expect(await findOut({ ...broken, failure: "warning" })).toMatchObject([{ status: "warning", fix: "npm ci" }]);
  });

  test("a warning does not change the exit code", async () => {
    expect((await doctor({ checks: [odd] })).code).toBe(0);
  });

  test("--json puts one object on stdout and the lines on stderr", async () => {
    const { stdout, stderr } = await doctor({ json: true, checks: [fine, broken] });
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      checks: [
        { check: "first", status: "ok", found: "here" },
        { check: "third", status: "problem", found: "not there", fix: "npm ci" },
      ],
    });
    expect(stderr).toContain("problem  third");
  });

  test.each([
    [true, {}, true],
    [true, { NO_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
    [false, {}, false],
  ])("terminal %s, environment %j: colour %s", async (isTTY, env, coloured) => {
    const { stdout } = await doctor({ isTTY, env, checks: [fine] });
    expect(stdout.includes("\u001B[32m")).toBe(coloured);
  });
});

test("a check that does not end becomes a problem", async () => {
  const finding = await findOut({ name: "stuck", fix: "try again", run: () => new Promise(() => {}) }, 5);
  expect(finding).toEqual([{ status: "problem", found: "no answer within 0.005 s", fix: "try again" }]);
});

test.each([
  ["20.19.0", "ok"],
  ["20.18.3", "problem"],
  ["18.20.0", "problem"],
  ["22.0.0", "ok"],
])("Node.js %s: %s", (version, status) => {
  expect(checkNode(version, ">=20.19").status).toBe(status);
});

describe("the run folder", () => {
  test("need not exist; nothing is left behind", () => {
    expect(checkRunFolder(join(folder, "a", "runs")).status).toBe("ok");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("must not be a file", () => {
    const file = join(folder, "runs");
    writeFileSync(file, "");
    expect(checkRunFolder(file)).toMatchObject({ status: "problem", found: `${file} is not a folder` });
  });
});

test("a port in use is a warning that says what to do", async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  expect(await checkPort(port, "take another")).toMatchObject({ status: "warning", found: "in use" });
  await new Promise((resolve) => server.close(resolve));
  expect(await checkPort(port, "take another")).toEqual({ status: "ok", found: "free" });
});

describe("two gradients", () => {
  const gradient = () => Float32Array.from({ length: PARAMETER_COUNT }, (_, i) => 1 + (i % 3));

  test("are compared tensor by tensor", () => {
    const found = gradient();
    found[tensor("fc2.bias").offset] = 1.5;
    const worst = worstDifference(gradient(), found);
    expect(worst.tensor).toBe("fc2.bias");
    expect(worst.relative).toBeCloseTo(1 / 6, 1);
    expect(worstDifference(gradient(), gradient()).relative).toBe(0);
  });

  test("never agree when one is not a number", () => {
    const found = gradient();
    found[5] = NaN;
    expect(worstDifference(gradient(), found)).toEqual({ tensor: "conv1.weight", relative: Infinity });
  });
});

describe("this machine", () => {
  test("can train, as far as code and data are concerned", async () => {
    const names = ["Node.js", "WebAssembly", "kernels", "ZeroMQ", "data", "engines"];
    const checks = machineChecks({ json: false }).filter(({ name }) => names.includes(name));
    const { stdout, code } = await doctor({ checks });
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("MNIST: 60,000 training and 10,000 test images");
  }, 20_000);

  test("cannot train on a folder without data", async () => {
    const checks = machineChecks({ json: false, data: folder }).filter(({ name }) => name === "data");
    const { stdout, code } = await doctor({ checks });
    expect(code).toBe(1);
    expect(stdout).toContain(`${folder} lacks train-images-idx3-ubyte`);
    expect(stdout).toContain("-> check --data, or leave it out to train on MNIST");
  });
});
