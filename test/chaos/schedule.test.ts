import { describe, expect, test } from "vitest";
import { FAULT_KINDS, faultKindsOf, ISOLATIONS } from "./fault-kinds.ts";
import { type PlannedFault, schedule } from "./schedule.ts";

const FLEET = faultKindsOf("fleet");

function first(count: number, seed: number, meanPauseMs = 2_000): PlannedFault[] {
  const faults = schedule(seed, FLEET, meanPauseMs);
  return Array.from({ length: count }, () => faults.next().value);
}

describe("the schedule of faults", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(first(300, 7)).toEqual(first(300, 7));
    const [seven, eight] = [first(300, 7), first(300, 8)];
    expect(seven.map(({ kind }) => kind)).not.toEqual(eight.map(({ kind }) => kind));
    expect(seven.map(({ seed }) => seed)).not.toEqual(eight.map(({ seed }) => seed));
  });

  test.each([1, 2, 3])("has every kind as often as its weight says, again and again (%i)", (seed) => {
    const size = FLEET.reduce((total, kind) => total + FAULT_KINDS[kind].weight, 0);
    const faults = first(3 * size, seed);
    for (const part of [0, 1, 2].map((i) => faults.slice(i * size, (i + 1) * size))) {
      for (const kind of FLEET) {
        expect(part.filter((fault) => fault.kind === kind).length, kind).toBe(FAULT_KINDS[kind].weight);
      }
    }
  });

  test("keeps the pace that it is asked for, with some faults that meet", () => {
    const faults = first(1_000, 1, 2_000);
    expect(faults.at(-1)!.atMs / 1_000).toBeGreaterThan(1_800);
    expect(faults.at(-1)!.atMs / 1_000).toBeLessThan(2_200);
    const pauses = faults.slice(1).map(({ atMs }, i) => atMs - faults[i]!.atMs);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0);
    expect(pauses.filter((pauseMs) => pauseMs < 150).length).toBeGreaterThan(100);
  });

  test("asks of every isolation what it can meet", () => {
    for (const isolation of ISOLATIONS) {
      expect(faultKindsOf(isolation)).toEqual(expect.arrayContaining(["worker-kill", "coordinator-kill"]));
    }
    expect(faultKindsOf("thread")).not.toContain("black-hole");
    expect(FLEET).not.toContain("worker-throw");
  });
});
