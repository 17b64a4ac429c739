import { expect, test } from "vitest";
import { median, ratios, summarise } from "../../src/bench/statistics.ts";

test("the median is the middle value, or the mean of two, whatever the order", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("a summary has median and span, and there is none of nothing", () => {
  expect(summarise([5, 1, 30])).toEqual({ median: 5, min: 1, max: 30 });
  expect(summarise([])).toBeUndefined();
});

test("ratios pair the figures of each round, and leave out rounds that one side lacks", () => {
  expect(ratios([10, 30], [5, 10])).toEqual([2, 3]);
  expect(ratios([10, 30, 50], [5])).toEqual([2]);
  expect(ratios([10], [5, 10])).toEqual([2]);
  expect(ratios([10], [])).toEqual([]);
});

test("a drift of the machine leaves the ratios alone", () => {
  const speeds = [1, 0.75, 1.2, 0.9];
  const ours = speeds.map((speed) => 3_000 * speed);
  const theirs = speeds.map((speed) => 1_500 * speed);
  expect(summarise(ratios(ours, theirs))).toEqual({ median: 2, min: 2, max: 2 });
});
