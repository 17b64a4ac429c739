import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import type { Panel, RowPanel } from "@grafana/grafana-foundation-sdk/dashboard";

/** Of every dashboard's grid. */
export const GRID_COLUMNS = 24;

/** A line of panels of one height, from left to right; their widths make up the grid's. */
export interface Line {
  /** In units of the grid, about 30 pixels each. */
  readonly height: number;
  readonly panels: readonly Builder<Panel>[];
  /** One for each panel, in columns; left out: all alike. */
  readonly widths?: readonly number[];
}

/** Lines of panels under a heading that answers to one question. */
export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

/**
 * Places panels from the top, and numbers them: builders leave both open.
 *
 * @throws RangeError when a line's widths do not make up the grid's
 */
export function layOut(sections: readonly Section[]): (Panel | RowPanel)[] {
  const placed: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, lines } of sections) {
    const gridPos = { x: 0, y, w: GRID_COLUMNS, h: 1 };
    placed.push({ type: "row", id: placed.length + 1, title, collapsed: false, gridPos, panels: [] });
    y += 1;
    for (const line of lines) {
      let x = 0;
      const widths = widthsOf(line, title);
      for (const [index, builder] of line.panels.entries()) {
        const w = widths[index]!;
        placed.push({ ...builder.build(), id: placed.length + 1, gridPos: { x, y, w, h: line.height } });
        x += w;
      }
      y += line.height;
    }
  }
  return placed;
}

function widthsOf({ panels, widths }: Line, section: string): readonly number[] {
  const chosen = widths ?? panels.map(() => GRID_COLUMNS / panels.length);
  const sum = chosen.reduce((total, width) => total + width, 0);
  if (chosen.length !== panels.length || sum !== GRID_COLUMNS || !chosen.every(Number.isInteger)) {
    throw new RangeError(
      `a line of section "${section}" has ${panels.length} panels of widths ${chosen.join(", ")}; ` +
        `they must be whole numbers that make up ${GRID_COLUMNS}`,
    );
  }
  return chosen;
}
