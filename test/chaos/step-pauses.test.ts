import { describe, expect, test } from "vitest";
import { StepPauses } from "./step-pauses.ts";

describe("pauses between steps", () => {
  test("are blamed on what was done before or in them, and on nothing else", () => {
    const pauses = new StepPauses(0);
    pauses.seen(100, 1, 0);
    pauses.seen(200, 1, 4);
    expect(pauses.longest).toEqual({ ms: 200, causes: [] });
    const early = pauses.begin(300, "delay");
    early.toMs = 400;
    pauses.seen(500, 1, 5);
    for (let at = 600; at <= 10_000; at += 100) pauses.seen(at, 1, at);
    pauses.begin(10_050, "worker-kill").toMs = 10_060;
    const undone = pauses.begin(10_070, "noise");
    pauses.forget(undone);
    pauses.seen(13_000, 1, 10_001);
    pauses.begin(13_000, "black-hole");
    expect(pauses.longest).toEqual({ ms: 3_000, causes: ["worker-kill"] });
    expect(Object.fromEntries(pauses.longestBy)).toEqual({ delay: 300, "worker-kill": 3_000 });
  });

  test("last until a step beyond the one that the same life was seen at", () => {
    const pauses = new StepPauses(0);
    pauses.seen(0, 1, 90);
    pauses.seen(10, 1, 100);
    pauses.seen(1_000, 2, 50);
    pauses.seen(1_500, 2, 50);
    expect(pauses.standingSince(1_500)).toBe(1_490);
    pauses.seen(2_000, 2, 51);
    expect(pauses.standingSince(2_000)).toBe(0);
    expect(pauses.longest.ms).toBe(1_990);
    expect(pauses.steps).toBe(11);
  });

  test("have a fault that is still going on among their causes, however long ago it began", () => {
    const pauses = new StepPauses(0);
    pauses.begin(0, "worker-freeze");
    pauses.seen(1, 1, 0);
    for (let at = 100; at <= 20_000; at += 100) pauses.seen(at, 1, at);
    pauses.seen(20_900, 1, 20_900);
    expect(pauses.longest).toEqual({ ms: 900, causes: ["worker-freeze"] });
  });
});
