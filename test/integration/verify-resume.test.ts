import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { resultOf, useCli } from "../support/cli.ts";
import { Sabotage } from "../support/sabotage.ts";

/** `lockstep verify-resume`: two trainings in real processes, one of them interrupted. */

const cli = useCli();
const SMALL = ["--limit-train", "6400", "--epochs", "1", "--checkpoint-every", "7", "--workers", "2"];

it("interrupts a run, resumes it, and finds the same weights", async () => {
  const ended = await cli.run(["verify-resume", ...SMALL, "--interruptions", "3", "--json"]);
  expect(ended.stderr).toMatch(/^Ended by SIGKILL after step \d+, resumed from step \d+$/m);
  expect(ended.stderr).toMatch(/^Ended by SIGTERM after step \d+, resumed from step \d+$/m);
  expect(ended.stderr).toContain("The results are the same, bit for bit\n");
  expect(ended.code).toBe(0);
  const result = resultOf(ended);
  expect(result).toMatchObject({ same: true, steps: 100 });
  const interruptions = result.interruptions as { signal: string; step: number; resumedFrom: number }[];
  expect(interruptions.map(({ signal }) => signal)).toEqual(["SIGKILL", "SIGTERM", "SIGKILL"]);
  for (const [i, { signal, step, resumedFrom }] of interruptions.entries()) {
    // A signal that asks saves the step under way. After a kill it is a regular checkpoint, or the last one of the life
    // before, where this one was too short for any.
    if (signal === "SIGTERM") expect(resumedFrom).toBeGreaterThanOrEqual(step);
    else if (resumedFrom !== (interruptions[i - 1]?.resumedFrom ?? 0)) expect(resumedFrom % 7).toBe(0);
  }
  expect(readdirSync(cli.folder())).toEqual([]);
});

it("says so, and exits with 1, when the weights are not the same", async () => {
  const sabotage = new Sabotage(cli.folder());
  // Each process has square roots of its own.
  sabotage.each(`
    const { sqrt } = Math;
    Math.sqrt = (value) => sqrt(value) * (1 + process.pid * 2 ** -30);
  `);
  const ended = await cli.run(
    [
      "verify-resume",
      ...SMALL,
      "--isolation",
      "process",
      "--engine",
      "reference",
      "--interruptions",
      "1",
      "--limit-train",
      "320",
    ],
    sabotage.environment,
  );
  expect(ended.stdout).toContain("THE RESULTS DIFFER");
  expect(ended.code).toBe(1);
});
