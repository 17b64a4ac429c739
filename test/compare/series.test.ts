import { expect, test } from "vitest";
import { compareRuns } from "../../src/compare/comparison.ts";
import { linePoints, LOOKS, seriesOf } from "../../src/compare/series.ts";
import { madeUpRun } from "./made-up-runs.ts";

test("runs that differ in the seed only have a look each", () => {
  const runs = [1, 2, 3].map((seed) => madeUpRun(`run-${seed}`, { seed }));
  const { series } = seriesOf(compareRuns(runs, [], "time"));
  expect(series.map(({ name, look }) => [name, look])).toEqual([
    ["run-1", "series-1"],
    ["run-2", "series-2"],
    ["run-3", "series-3"],
  ]);
});

test("where other options differ too, a look is for what they are", () => {
  const runs = [1, 2].flatMap((seed) => [madeUpRun(`a${seed}`, { seed }), madeUpRun(`b${seed}`, { seed, lr: 0.004 })]);
  const { series } = seriesOf(compareRuns(runs, [], "time"));
  expect(series.map(({ name, runs: drawn }) => [name, drawn.map((run) => run.name)])).toEqual([
    ["lr 0.001", ["a1", "a2"]],
    ["lr 0.004", ["b1", "b2"]],
  ]);
});

test("of very many runs the best are drawn, in looks that there are; runs without an epoch are not", () => {
  const runs = Array.from({ length: 80 }, (_, i) => madeUpRun(`run-${i}`, { seed: i }));
  const { series, left } = seriesOf(compareRuns([...runs, madeUpRun("new", {}, { course: [] })], [], "time"));
  expect([series.length, left]).toEqual([60, 21]);
  for (const { look } of series) expect(Number(look.slice("series-".length))).toBeLessThanOrEqual(LOOKS);
});

test("an epoch whose time is not known has no place on that axis", () => {
  const course = [1, 2].map((epoch) => {
    return { epoch, seconds: epoch === 1 ? null : 7, testAccuracy: 0.9, validationAccuracy: null, trainLoss: null };
  });
  const run = madeUpRun("a", {}, { course });
  expect(
    linePoints(
      run,
      ({ seconds }) => seconds,
      ({ testAccuracy }) => testAccuracy,
    ),
  ).toEqual([{ x: 7, y: 0.9 }]);
  expect(
    linePoints(
      run,
      ({ epoch }) => epoch,
      ({ trainLoss }) => trainLoss,
    ),
  ).toEqual([]);
});
