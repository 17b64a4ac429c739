import { describe, expect, test } from "vitest";
import { dashboardFiles } from "../../grafana/src/dashboard-files.ts";
import { GRID_COLUMNS, layOut } from "../../grafana/src/grid.ts";
import { stat } from "../../grafana/src/panels.ts";
import { type DashboardPanel, DASHBOARDS, queriesOf } from "./dashboards.ts";

test("the files are what the sources make: otherwise run `npm run dashboards`", async () => {
  expect(Object.fromEntries(DASHBOARDS.map(({ file, text }) => [file, text]))).toEqual(
    Object.fromEntries(await dashboardFiles()),
  );
});

test("no two dashboards have the same address", () => {
  expect(new Set(DASHBOARDS.map(({ json }) => json.uid)).size).toBe(DASHBOARDS.length);
  expect(DASHBOARDS.length).toBeGreaterThanOrEqual(2);
});

describe.each(DASHBOARDS)("$file", ({ json }) => {
  const panels = json.panels.filter(({ type }) => type !== "row");

  test("has panels within the grid, each place taken once and no line left open", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of json.panels) {
      const { x, y, w, h } = gridPos;
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          expect(column, title).toBeLessThan(GRID_COLUMNS);
          const place = `${column},${row}`;
          expect(taken.get(place), `${title} at ${place}`).toBeUndefined();
          taken.set(place, title);
        }
      }
    }
    const height = Math.max(...json.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    expect(taken.size).toBe(height * GRID_COLUMNS);
  });

  test("numbers its panels, and explains each", () => {
    expect(new Set(json.panels.map(({ id }) => id)).size).toBe(json.panels.length);
    expect(json.panels.every(({ id }) => Number.isInteger(id) && id > 0)).toBe(true);
    for (const { title, description, fieldConfig, targets } of panels) {
      expect(description, title).toMatch(/^[A-Z0-9].{15,}\.$/s);
      expect(fieldConfig?.defaults.unit, title).toBeTruthy();
      expect(targets?.length, title).toBeGreaterThan(0);
      expect(new Set(targets?.map(({ refId }) => refId)).size, title).toBe(targets?.length);
    }
  });

  test("names every line", () => {
    for (const { title, type, targets } of panels) {
      if (type === "table") continue;
      for (const { expr, legendFormat } of targets ?? []) {
        expect(legendFormat, title).not.toBe("");
        // A label that the query sums away would leave nothing of the name.
        const [, label] = /\{\{(\w+)\}\}/.exec(legendFormat) ?? [];
        const [, kept] = /by \(([^)]*)\)/.exec(expr) ?? [];
        if (label !== undefined && kept !== undefined) expect(kept.split(", "), title).toContain(label);
      }
    }
  });

  test("asks for the chosen run alone", () => {
    for (const { name, expr } of queriesOf(json)) {
      const selectors = [
        ...expr.matchAll(/\b(?:(?:lockstep|process|nodejs)_\w+|(?:run|worker):[\w:]+|ALERTS)(\{[^}]*\})?/g),
      ];
      expect(selectors.length, name).toBeGreaterThan(0);
      for (const [selector, labels] of selectors) expect(labels, `${name}: ${selector}`).toContain('run="$run"');
    }
  });

  test("has what can be chosen, marks, a link to the other one and a time", () => {
    expect(json.templating.list.map(({ name }) => name)).toEqual(["datasource", "run", "worker"]);
    expect(json.annotations.list).toHaveLength(3);
    expect(json.links).toMatchObject([{ type: "dashboards", tags: json.tags }]);
    expect(json.time).toEqual({ from: "now-1h", to: "now" });
    expect(json.refresh).toBe("10s");
    expect(json.schemaVersion).toBeGreaterThanOrEqual(36);
  });
});

describe("the grid", () => {
  const panel = stat({ title: "t", description: "d", unit: "none", queries: [] });

  test("goes on below the highest line", () => {
    const lines = [
      { height: 4, panels: [panel, panel] },
      { height: 2, widths: [16, 8], panels: [panel, panel] },
    ];
    const places = layOut([
      { title: "a", lines },
      { title: "b", lines: [] },
    ]).map(({ id, gridPos }) => [id, gridPos?.x, gridPos?.y, gridPos?.w, gridPos?.h]);
    expect(places).toEqual([
      [1, 0, 0, 24, 1],
      [2, 0, 1, 12, 4],
      [3, 12, 1, 12, 4],
      [4, 0, 5, 16, 2],
      [5, 16, 5, 8, 2],
      [6, 0, 7, 24, 1],
    ] satisfies readonly (readonly [number, ...number[]])[]);
  });

  test("refuses lines that do not fill it", () => {
    const line = (widths: readonly number[]) => () =>
      layOut([{ title: "a", lines: [{ height: 1, widths, panels: [panel, panel] }] }]);
    expect(line([12, 8])).toThrow(
      /section "a" has 2 panels of widths 12, 8; they must be whole numbers that make up 24/,
    );
    expect(line([24])).toThrow(RangeError);
    const five = { height: 1, panels: Array.from<DashboardPanel, typeof panel>({ length: 5 }, () => panel) };
    expect(() => layOut([{ title: "a", lines: [five] }])).toThrow(RangeError);
  });
});
