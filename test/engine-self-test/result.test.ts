import { expect, test } from "vitest";
import { describeSelfTest, resultOfProcess } from "../../src/engine-self-test/result.ts";
import { testEngine } from "../../src/engine-self-test/test-engine.ts";
import type { CommandEnd } from "../../src/workshop/run-command.ts";

const end: CommandEnd = { code: 0, signal: null, timedOut: false, stdout: "", stderr: "" };
const judge = (how: Partial<CommandEnd>) => resultOfProcess("tensorflow", { ...end, ...how }, 60_000);

test("the result is found among what native libraries print", () => {
  const stdout = '{"not json\nTensorFlow greets\n{"ok":true,"engine":"tensorflow","device":"x"}\n{"a":1}\n';
  expect(judge({ stdout })).toEqual({ ok: true, engine: "tensorflow", device: "x" });
});

test.each([
  [
    "a crash",
    { code: null, signal: "SIGSEGV", stderr: "a\nb\nc\nd\n" },
    "its process crashed (SIGSEGV); it said: b | c | d",
  ],
  ["nonsense", { code: 3, stdout: "{}\nhello" }, "its process ended with exit code 3 and without a result"],
  [
    "another engine's result",
    { stdout: '{"ok":true,"engine":"wasm"}' },
    "its process ended with exit code 0 and without",
  ],
  ["a failure at the end", { code: 7, stdout: '{"ok":true,"engine":"tensorflow"}' }, "exit code 7 after the test"],
  ["a hang", { code: null, signal: "SIGKILL", timedOut: true }, "no result within 60 s; a GPU that is newer"],
] as const)("%s is a problem", (_what, how, problem) => {
  const result = judge(how);
  expect(result.ok).toBe(false);
  expect(result.problem).toContain(problem);
  expect(describeSelfTest(result)).toContain("The tensorflow engine does not work: ");
});

test("an engine that computes what the reference does passes", async () => {
  const result = await testEngine("wasm", false);
  expect(result).toMatchObject({ ok: true, engine: "wasm" });
  expect(result.largestDifference).toBeGreaterThan(0);
  expect(result.largestDifference).toBeLessThan(1e-4);
  expect(describeSelfTest(result)).toMatch(/^The wasm engine works \(cpu .*\): a gradient of 32 images takes /);
});

test("one that computes on the CPU fails where a GPU is required", async () => {
  const result = await testEngine("wasm", true);
  expect(result).toMatchObject({ ok: false, problem: "it computes on the CPU, although there is a GPU for it" });
});
