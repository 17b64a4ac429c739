import { describe, expect, test } from "vitest";
import { reportOf, reportText, type RunReport } from "./report.ts";

const GOOD: RunReport = {
  ...{ variant: "plain", seconds: 30, steps: 1_000, restarts: 2, expectedSha256: "aa", weightsSha256: "aa" },
  ...{ samplesLost: 0, processesLeft: 0, violations: [] },
  longestPause: { ms: 1_500, causes: ["worker-kill", "delay"] },
  longestPauseBy: { "worker-kill": 1_500, delay: 1_500 },
};
const COUNTS = new Map([
  ["worker-kill", { done: 5, passedOver: 1 }],
  ["delay", { done: 2, passedOver: 0 }],
] as const);
const OF = { seed: 3, isolation: "fleet" };

describe("the report", () => {
  test("adds up what was survived", () => {
    const calm = { ...GOOD, longestPause: { ms: 900, causes: [] }, longestPauseBy: { delay: 900 } };
    const report = reportOf(OF, [GOOD, calm], COUNTS);
    expect(report).toMatchObject({ passed: true, faults: 7, steps: 2_000, restarts: 4, samplesLost: 0 });
    expect(report.longestPause).toEqual(GOOD.longestPause);
    expect(report.faultsByKind["worker-kill"]).toEqual({ done: 5, passedOver: 1, longestPauseMs: 1_500 });
    const text = reportText(report);
    expect(text).toContain("Faults survived: 7");
    expect(text).toMatch(/worker-kill +5 +longest pause 1\.5 s, 1 not possible$/m);
    expect(text).toContain("2 of 2 runs");
    expect(text).toContain("1.5 s, with worker-kill, delay");
    expect(text).toMatch(/All as promised$/);
  });

  test("fails with the first thing that is not as promised, and names it", () => {
    const bad = { ...GOOD, weightsSha256: "bb", samplesLost: null, violations: ["its weights are bb"] };
    const report = reportOf(OF, [GOOD, bad], COUNTS);
    expect(report).toMatchObject({ passed: false, samplesLost: null });
    expect(report.violations).toEqual(["run 2 (plain): its weights are bb"]);
    expect(reportText(report)).toMatch(/1 of 2 runs[^]*NOT AS PROMISED:\n {2}run 2 \(plain\): its weights are bb$/);
  });

  test("of nothing is no success", () => {
    expect(reportOf(OF, [], new Map()).passed).toBe(false);
  });
});
