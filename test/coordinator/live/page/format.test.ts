import { expect, test } from "vitest";
import { clockText, countText, lossText, percentText } from "../../../../src/coordinator/live/page/format.ts";

test.each([
  [countText(28_411.6), "28,412"],
  [countText(null), "–"],
  [lossText(0.09068), "0.0907"],
  [lossText(0.0000421), "4.21e-5"],
  [lossText(0), "0.0000"],
  [percentText(0.98961), "98.96 %"],
  [clockText(7.4), "0:07"],
  [clockText(3_723), "1:02:03"],
  [clockText(Infinity), "–"],
])("%s", (text, expected) => {
  expect(text).toBe(expected);
});
