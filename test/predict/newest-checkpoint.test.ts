import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newestCheckpoint } from "../../src/predict/newest-checkpoint.ts";

let runs: string;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), "newest-checkpoint-test-"));
});
afterEach(() => rmSync(runs, { recursive: true, force: true }));

/** A run that was started so many seconds after the epoch. */
function run(name: string, startedAt: number, ...links: readonly string[]): void {
  mkdirSync(join(runs, name, "checkpoints"), { recursive: true });
  const config = join(runs, name, "config.json");
  writeFileSync(config, "{}");
  utimesSync(config, startedAt, startedAt);
  for (const link of links) writeFileSync(join(runs, name, "checkpoints", link), "");
}

test("is the best one of the run that was started last", () => {
  run("b", 30, "latest", "best");
  run("a", 40, "best");
  run("c", 20, "best");
  writeFileSync(join(runs, "notes.txt"), "");
  expect(newestCheckpoint(runs)).toBe(join(runs, "a", "checkpoints", "best"));
});

test("is the latest one where none was tested yet; a run without any is passed over", () => {
  run("a", 20, "best");
  run("b", 30, "latest");
  run("c", 40);
  expect(newestCheckpoint(runs)).toBe(join(runs, "b", "checkpoints", "latest"));
});

test.each(["there", "nowhere"])("without any it is said what to do: %s", (folder) => {
  mkdirSync(join(runs, "there"));
  expect(() => newestCheckpoint(join(runs, folder))).toThrow(
    `no run in ${join(runs, folder)}/ here has a checkpoint; name one with --checkpoint, or make one with lockstep train`,
  );
});
