import { expect, test } from "vitest";
import { formatClock, formatCount, formatPercent, formatPlural, formatSeconds } from "../../src/shared/format.ts";

test.each([
  [formatCount(28_411.6), "28,412"],
  [formatPlural(1, "shard"), "1 shard"],
  [formatPlural(0, "shard"), "0 shards"],
  [formatPlural(1234, "step"), "1,234 steps"],
  [formatPercent(0.9896), "98.96 %"],
  [formatPercent(1), "100.00 %"],
  [formatSeconds(0.04), "0.0 s"],
  [formatSeconds(59.94), "59.9 s"],
  [formatSeconds(59.96), "1 min 0 s"],
  [formatSeconds(200), "3 min 20 s"],
  [formatSeconds(3599.6), "1 h 0 min"],
  [formatSeconds(7500), "2 h 5 min"],
  [formatClock(0), "0:00"],
  [formatClock(6.1), "0:07"],
  [formatClock(750), "12:30"],
  [formatClock(3723), "1:02:03"],
])("%s is %s", (formatted, expected) => {
  expect(formatted).toBe(expected);
});
