import { formatCount } from "../shared/format.ts";
import type { SuiteReport, Unit } from "./report.ts";
import { summarise } from "./statistics.ts";

/** Reports as markdown that reads well in a terminal too. */

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** A table with columns as wide as their widest cell. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) => Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string => {
    const padded = columns.map(({ align }, i) => {
      const cell = row[i] ?? "";
      return align === "left" ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = columns.map(({ align }, i) => {
    const dashes = "-".repeat(widths[i] ?? 0);
    return align === "left" ? dashes : `${dashes.slice(1)}:`;
  });
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join("\n");
}

/** A suite's heading, table and notes: a row for each measurement, its median and its span over the rounds. */
export function reportMarkdown(report: SuiteReport): string {
  const { suite, title, unit, baseline, notes, measurements } = report;
  const labels = [...new Set(measurements.flatMap(({ of }) => Object.keys(of)))];
  const columns: Column[] = [
    ...labels.map((label): Column => ({ title: label, align: isNumeric(report, label) ? "right" : "left" })),
    { title: unit, align: "right" },
    { title: "min-max", align: "right" },
  ];
  if (baseline !== undefined) {
    columns.push({ title: `ratio to ${baseline}`, align: "right" }, { title: "min-max", align: "right" });
  }
  const rows = measurements.map(({ of, rounds, ratios }) => [
    ...labels.map((label) => String(of[label] ?? "")),
    ...cells(rounds, (value) => formatFigure(value, unit), "not available"),
    ...(baseline === undefined ? [] : cells(ratios ?? [], (value) => value.toFixed(2), "")),
  ]);
  const parts = [`## ${suite}: ${title}`, markdownTable(columns, rows), ...notes];
  return parts.join("\n\n");
}

function isNumeric({ measurements }: SuiteReport, label: string): boolean {
  return measurements.every(({ of }) => typeof of[label] === "number");
}

function cells(values: readonly number[], format: (value: number) => string, missing: string): [string, string] {
  const summary = summarise(values);
  if (summary === undefined) return [missing, ""];
  const span = values.length > 1 ? `${format(summary.min)}-${format(summary.max)}` : "";
  return [format(summary.median), span];
}

/** `24,310`, `0.349`, `17.9` */
export function formatFigure(value: number, unit: Unit): string {
  switch (unit) {
    case "images/s":
      return formatCount(value);
    case "µs":
      return value.toFixed(1);
    case "ms":
      return value.toFixed(3);
    case "s":
      return value.toFixed(2);
    case "MB":
      return value.toFixed(0);
    default:
      return String(unit satisfies never);
  }
}
