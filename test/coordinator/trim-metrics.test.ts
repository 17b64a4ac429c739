import fc from "fast-check";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isKept, trimMetrics } from "../../src/coordinator/trim-metrics.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-trim-"));
  path = join(folder, "metrics.ndjson");
});
afterEach(() => rmSync(folder, { recursive: true }));

const AT = { step: 20, stepsPerEpoch: 10, evaluatedEpochs: 1 };
const step = (number: number): string => JSON.stringify({ type: "step", step: number });
const epoch = (number: number): string => JSON.stringify({ type: "epoch", epoch: number });

test.each([
  { line: step(20), kept: true },
  { line: step(21), kept: false },
  { line: epoch(1), kept: true },
  // Its last step is done, its evaluation is not.
  { line: epoch(2), kept: false },
  { line: epoch(3), kept: false },
  { line: '{"type":"note"}', kept: true },
  { line: "5", kept: true },
  { line: "null", kept: true },
  { line: '{"type":"step","st', kept: false },
  { line: "", kept: false },
])("$line is kept: $kept", ({ line, kept }) => {
  expect(isKept(line, AT)).toBe(kept);
});

test("an epoch's line goes when the checkpoint is from before its end", () => {
  expect(isKept(epoch(2), { step: 19, stepsPerEpoch: 10, evaluatedEpochs: 2 })).toBe(false);
});

test("wherever the last line was cut off, the whole ones before it stay", () => {
  const text = [step(10), epoch(1), JSON.stringify({ type: "step", step: 15, note: "é".repeat(20) })].join("\n");
  const bytes = Buffer.from(`${text}\n`);
  fc.assert(
    fc.property(fc.nat(bytes.length), (length) => {
      writeFileSync(path, bytes.subarray(0, length));
      trimMetrics(path, AT);
      // A line may be whole without its end.
      const whole = bytes
        .toString("utf8", 0, length + 1)
        .split("\n")
        .slice(0, -1);
      expect(readFileSync(path, "utf8")).toBe(whole.map((line) => `${line}\n`).join(""));
    }),
  );
});

test("a file of megabytes is trimmed line by line, and nothing else is left behind", () => {
  const long = (number: number): string => JSON.stringify({ type: "step", step: number, more: "x".repeat(300_000) });
  writeFileSync(path, [1, 2, 30, 3, 31, 4, 5, 6].map((number) => `${long(number)}\n`).join(""));
  trimMetrics(path, AT);
  const steps = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(steps.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(readdirSync(folder)).toEqual(["metrics.ndjson"]);
});

test("no file stays none", () => {
  trimMetrics(path, AT);
  expect(existsSync(path)).toBe(false);
});
