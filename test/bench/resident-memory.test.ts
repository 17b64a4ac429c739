import { expect, test } from "vitest";
import { childrenOf, parseStatus, residentMemory } from "../../src/bench/resident-memory.ts";

const STATUS = "Name:\tnode\nState:\tS (sleeping)\nVmHWM:\t  125000 kB\nVmRSS:\t  100000 kB\nThreads:\t11\n";

test("memory is read in units of 10^6 bytes", () => {
  expect(parseStatus(STATUS)).toEqual({ now: 102.4, peak: 128 });
});

test("a process that has ended has none", () => {
  expect(parseStatus("Name:\tnode\nState:\tZ (zombie)\n")).toBeUndefined();
  expect(residentMemory(2 ** 30)).toBeUndefined();
  expect(childrenOf(2 ** 30)).toEqual([]);
});
