import { expect, test } from "vitest";
import { measurementsOf, reportJson, type SuiteReport } from "../../src/bench/report.ts";
import { formatFigure, markdownTable, reportMarkdown } from "../../src/bench/table.ts";

const REPORT: SuiteReport = {
  suite: "training",
  title: "whole runs",
  unit: "images/s",
  baseline: "in-process",
  notes: ["A note."],
  measurements: [
    ...measurementsOf(
      [
        { batch: 64, trainer: "in-process" },
        { batch: 64, trainer: "process" },
      ],
      [
        [20_000, 10_000],
        [30_000, 18_000],
      ],
      0,
    ),
    { of: { batch: 64, trainer: "another program" }, rounds: [] },
  ],
};

test("a table has columns as wide as their widest cell", () => {
  const columns = [
    { title: "what", align: "left" },
    { title: "ms", align: "right" },
  ] as const;
  expect(markdownTable(columns, [["exchange", "0.35"]])).toBe(
    ["| what     |   ms |", "| -------- | ---: |", "| exchange | 0.35 |"].join("\n"),
  );
});

test("a report shows medians, spans and ratios, and says what is not there", () => {
  const lines = reportMarkdown(REPORT).split("\n");
  expect(lines[0]).toBe("## training: whole runs");
  const rows = lines.filter((line) => line.startsWith("|")).map((line) => line.split("|").map((cell) => cell.trim()));
  expect(rows[0]).toEqual(["", "batch", "trainer", "images/s", "min-max", "ratio to in-process", "min-max", ""]);
  expect(rows[2]).toEqual(["", "64", "in-process", "15,000", "10,000-20,000", "", "", ""]);
  expect(rows[3]).toEqual(["", "64", "process", "24,000", "18,000-30,000", "1.65", "1.50-1.80", ""]);
  expect(rows[4]).toEqual(["", "64", "another program", "not available", "", "", "", ""]);
  expect(lines.at(-1)).toBe("A note.");
});

test("as JSON a report has every round and what they come to", () => {
  expect(reportJson(REPORT)).toMatchObject({
    suite: "training",
    unit: "images/s",
    measurements: [
      { rounds: [20_000, 10_000], summary: { median: 15_000, min: 10_000, max: 20_000 } },
      { ratios: [1.5, 1.8], ratio: { min: 1.5, max: 1.8 } },
      { rounds: [] },
    ],
  });
});

test.each([
  [24_310.4, "images/s", "24,310"],
  [3.14, "µs", "3.1"],
  [0.3491, "ms", "0.349"],
  [17.912, "s", "17.91"],
  [152.4, "MB", "152"],
] as const)("%f %s is shown as %s", (value, unit, text) => {
  expect(formatFigure(value, unit)).toBe(text);
});
