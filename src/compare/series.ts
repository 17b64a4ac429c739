/** The lines of a comparison's charts: which runs have one, and how it looks. Pure. */

import type { Look, Point } from "../report/line-chart.ts";
import type { ComparedRun, CoursePoint } from "./compared-run.ts";
import type { Comparison } from "./comparison.ts";

/** More lines than this hide each other. */
const MAX_LINES = 60;
/** Six colours, three dashes: more than this many looks nobody tells apart, and they begin anew. */
export const LOOKS = 18;

export interface Series {
  readonly name: string;
  readonly look: Look;
  readonly runs: readonly ComparedRun[];
}

/**
 * A look for each run; where runs differ in more than the seed, for each group of seeds instead, so that colours show
 * what the other options do. Of the best runs only, where there are very many.
 */
export function seriesOf({ runs, groups }: Comparison): { series: Series[]; left: number } {
  const drawn = runs.filter(({ course }) => course.length > 0).slice(0, MAX_LINES);
  const isByGroup = groups.length > 1 && groups.some((group) => group.runs.length > 1);
  const sets = isByGroup
    ? groups.map(({ label, runs: names }) => ({ name: label, runs: drawn.filter(({ name }) => names.includes(name)) }))
    : drawn.map((run) => ({ name: run.name, runs: [run] }));
  const series = sets
    .filter((set) => set.runs.length > 0)
    .map((set, i): Series => ({ ...set, look: `series-${(i % LOOKS) + 1}` }));
  return { series, left: runs.length - drawn.length };
}

/** A run's line: `x` and `y` of its epochs, those left out that lack one. */
export function linePoints(
  { course }: ComparedRun,
  x: (point: CoursePoint) => number | null,
  y: (point: CoursePoint) => number | null,
): Point[] {
  const points = course.map((point) => ({ x: x(point) ?? NaN, y: y(point) ?? NaN }));
  return points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}
