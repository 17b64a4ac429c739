import { describe, expect, test } from "vitest";
import { type LineChart, lineChart, type Point } from "../../src/report/line-chart.ts";

const CHART: LineChart = {
  ...{ title: "Loss", summary: "from 1 to 0.1", xName: "epochs", xMax: 2, y: "linear from 0", format: String },
  lines: [],
};

function draw(points: readonly Point[], changes: Partial<LineChart> = {}): string {
  return lineChart({ ...CHART, lines: [{ name: "train", points, look: "first" }], ...changes }).toString();
}

/** The numbers of the path with a class. */
function pathOf(text: string, name: string): number[][] {
  const [, path] = new RegExp(`class="${name}"\\s+d="M([^"]*?)Z?"`).exec(text) ?? [];
  return (path ?? "").split("L").map((place) => place.split(" ").map(Number));
}

test("draws a line from its first point to its last, upwards for larger values", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 1, y: 5 },
    { x: 2, y: 10 },
  ];
  const path = pathOf(draw(points), "line");
  expect(path[0]).toEqual([54, 212]);
  expect(path[1]![0]).toBe((54 + 428) / 2);
  expect(path[2]![0]).toBe(428);
  // Equal steps, each of them up.
  expect(path[1]![1]! - path[2]![1]!).toBeCloseTo(212 - path[1]![1]!);
  expect(path[2]![1]!).toBeGreaterThanOrEqual(12);
});

test("shows where several values became one as a band around the line", () => {
  const band = pathOf(
    draw([
      { x: 0, y: 2, low: 1, high: 3 },
      { x: 2, y: 2, low: 0, high: 4 },
    ]),
    "band",
  );
  expect(band.map(([x]) => x)).toEqual([54, 428, 428, 54]);
  const [upper, upperEnd, lowerEnd, lower] = band.map(([, y]) => y!);
  expect([upper! < lower!, upperEnd! < upper!, lowerEnd]).toEqual([true, true, 212]);
});

test.each(["linear", "linear from 0", "logarithmic"] as const)("of a single point is a dot (%s)", (y) => {
  expect(draw([{ x: 1, y: 0.5 }], { y })).toMatch(/<circle cx="241" cy="[\d.]+" r="2.5"/);
});

test("leaves out what has no place, such as 0 on a logarithmic axis", () => {
  const points = [0, NaN, Infinity, 0.5, 1].map((y, x) => ({ x, y }));
  const text = draw(points, { y: "logarithmic", xMax: 4 });
  expect(pathOf(text, "line")).toHaveLength(2);
  expect(text).not.toMatch(/NaN|Infinity/);
});

describe("that has nothing to show", () => {
  test("says so", () => {
    expect(draw([])).toMatch(/Nothing was measured/);
    expect(draw([{ x: 1, y: 0 }], { y: "logarithmic" })).not.toMatch(/<svg/);
  });
});

test("is told in words too, escaped", () => {
  const text = draw([{ x: 1, y: 1 }], { summary: 'from "1" to <2>' });
  expect(text).toContain('aria-label="Loss: from &#34;1&#34; to &#60;2&#62;"');
  expect(text).toMatch(/<title>\s*train, 1: 1<\/title>/);
});
