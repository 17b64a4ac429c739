import { expect, test } from "vitest";
import {
  afterDeath,
  type Deaths,
  isCalm,
  isFlapping,
  isHopeless,
  NO_DEATHS,
  pauseMs,
} from "../../src/local-workers/restarts.ts";

/** All states after deaths at these times, the run having got on before each or never. */
function deathsAt(timesMs: readonly number[], getsOn: boolean, killed = false): Deaths[] {
  let deaths = NO_DEATHS;
  return timesMs.map((atMs, i) => (deaths = afterDeath(deaths, atMs, getsOn ? i + 1 : 0, killed)));
}

const everyMs = (intervalMs: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => i * intervalMs);

test("the pause is short at first, then doubles with every death within half a minute, up to 5 s", () => {
  const deaths = deathsAt(everyMs(1_000, 10), true);
  const pauses = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000];
  expect(deaths.map((each) => pauseMs(each, false))).toEqual(pauses);
  expect(deaths.map((each) => pauseMs(each, true))).toEqual([100, 200, ...Array<number>(8).fill(250)]);
  expect(deaths.map(isFlapping)).toEqual([false, false, false, ...Array<boolean>(7).fill(true)]);
});

test("deaths longer ago than half a minute do not count, nor does the memory of them grow", () => {
  expect(deathsAt(everyMs(30_001, 5), true).map((each) => pauseMs(each, false))).toEqual([100, 100, 100, 100, 100]);
  expect(deathsAt([0, 30_000], true).map((each) => pauseMs(each, false))).toEqual([100, 200]);
  expect(deathsAt(everyMs(1, 1_000), true).at(-1)!.recentAt.length).toBeLessThan(10);
  const [died] = deathsAt([1_000], true);
  expect([isCalm(NO_DEATHS, 0), isCalm(died!, 31_000), isCalm(died!, 31_001)]).toEqual([true, false, true]);
});

test("a worker is given up at its sixth death without progress, however slowly they come; with progress, never", () => {
  for (const intervalMs of [0, 600_000]) {
    const hopeless = deathsAt(everyMs(intervalMs, 6), false).map(isHopeless);
    expect(hopeless).toEqual([false, false, false, false, false, true]);
    expect(deathsAt(everyMs(intervalMs, 100), true).some(isHopeless)).toBe(false);
  }
  // A single step is enough.
  const last = deathsAt(everyMs(1_000, 5), false).at(-1)!;
  const saved = afterDeath(last, 5_000, 1, false);
  expect([saved, afterDeath(saved, 6_000, 1, false)].map(({ inVain }) => inVain)).toEqual([1, 2]);
});

test("a worker that is killed is given up only when that has been in vain for a minute", () => {
  const deaths = deathsAt([1_000, ...everyMs(300, 400).map((atMs) => atMs + 2_000)], false, true);
  const hopeless = deaths.filter(isHopeless);
  expect(hopeless[0]!.recentAt.at(-1)).toBe(61_100);
  expect(hopeless[0]!.inVain).toBeGreaterThan(100);
  // One that then fails by itself is given up at once.
  expect(isHopeless(afterDeath(deaths[10]!, 10_000, 0, false))).toBe(true);
  // Kills that are far apart, without a step between them, are no storm: the sixth is the last.
  expect(deathsAt(everyMs(60_000, 6), false, true).map(isHopeless).indexOf(true)).toBe(5);
});
