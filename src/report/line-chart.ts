/** Line charts as SVG, drawn in colours that the page's style sheet gives them. Pure. */

import { type Content, type Html, html } from "./html.ts";
import { linearScale, logarithmicScale, type Scale } from "./scale.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** What the point stands for, where it is several values. */
  readonly low?: number;
  readonly high?: number;
}

/** A class of the style sheet, which gives the line its colour; a `series-` is of a page that draws many lines. */
export type Look = "first" | "second" | "third" | "faint" | `series-${number}`;

export interface Line {
  readonly name: string;
  /** By x. */
  readonly points: readonly Point[];
  readonly look: Look;
}

export interface LineChart {
  readonly title: string;
  /** For who cannot see it: what the lines come to. */
  readonly summary: string;
  readonly xName: string;
  readonly xMax: number;
  readonly lines: readonly Line[];
  readonly y: "linear" | "linear from 0" | "logarithmic";
  readonly format: (y: number) => string;
  /** Where the page itself has one. */
  readonly legend?: "none";
}

const [WIDTH, HEIGHT] = [440, 250];
const PLOT = { left: 54, right: 428, top: 12, bottom: 212 };

/** Lines with more points than this have no dots. */
const MAX_DOTS = 40;

/** A figure with its legend; a sentence instead where there is nothing to draw. */
export function lineChart(chart: LineChart): Html {
  const lines = chart.lines.map((line) => ({ ...line, points: drawable(line.points, chart.y) }));
  const shown = lines.filter(({ points }) => points.length > 0);
  if (shown.length === 0) {
    return html`<figure class="chart">
      <figcaption>${chart.title}</figcaption>
      <p class="muted">Nothing was measured.</p>
    </figure>`;
  }
  const x = linearScale(0, chart.xMax, 6);
  const y = scaleOf(shown, chart.y);
  const at = (px: number, py: number): string => `${toX(x, px)} ${toY(y, py)}`;
  const name = `${chart.title}: ${chart.summary}`;
  return html`<figure class="chart">
    <figcaption>
      ${chart.title}${
        chart.legend === "none"
          ? undefined
          : html`<span class="legend">${shown.map((line) => html` ${lineKey(line)}`)}</span>`
      }
    </figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${name}">
      ${axes(x, y, chart)} ${shown.map((line) => drawn(line, at, chart.format))}
    </svg>
  </figure> `;
}

/** A piece of a line, and its name. */
export function lineKey({ name, look }: Pick<Line, "name" | "look">): Html {
  return html`<span class="key ${look}"
    ><svg viewBox="0 0 18 8" aria-hidden="true"><path d="M1 4H17" /></svg>${name}</span
  >`;
}

/** The path of a line through points, in the units of the drawing. */
function linePath(places: readonly string[]): string {
  return places.length === 0 ? "" : `M${places.join("L")}`;
}

function drawn({ points, look, name }: Line, at: (x: number, y: number) => string, format: LineChart["format"]): Html {
  const band = points.filter(({ low, high }) => low !== undefined && high !== undefined && high > low);
  const outline = [...band.map(({ x, high }) => at(x, high!)), ...band.toReversed().map(({ x, low }) => at(x, low!))];
  const dots = points.length <= MAX_DOTS && look !== "faint" ? points : points.length === 1 ? points : [];
  return html`<g class="${look}"
    >${band.length > 1 ? html`<path class="band" d="${linePath(outline)}Z" />` : undefined}<path
      class="line"
      d="${linePath(points.map(({ x, y }) => at(x, y)))}"
    />${dots.map(({ x, y }) => {
      const [cx, cy] = at(x, y).split(" ");
      return html`<circle cx="${cx}" cy="${cy}" r="2.5"><title>${name}, ${rounded(x)}: ${format(y)}</title></circle>`;
    })}</g
  > `;
}

function axes(x: Scale, y: Scale, { xName, format }: LineChart): Content {
  const { left, right, top, bottom } = PLOT;
  return html`<g class="axes"
    >${y.ticks.map((tick) => html`<path d="M${left} ${toY(y, tick)}H${right}" /><text x="${left - 6}" y="${toY(y, tick)}" dy="0.32em" text-anchor="end">${format(tick)}</text>`)}${x.ticks.map((tick) => html`<path d="M${toX(x, tick)} ${bottom}v4" /><text x="${toX(x, tick)}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`)}<path
      class="frame"
      d="M${left} ${top}V${bottom}H${right}"
    /><text x="${right}" y="${HEIGHT - 4}" text-anchor="end">${xName}</text></g
  >`;
}

function scaleOf(lines: readonly Line[], kind: LineChart["y"]): Scale {
  const values = lines.flatMap(({ points }) => points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]));
  // By hand: there may be more values than a call may have arguments.
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  if (kind === "logarithmic") return logarithmicScale(least, most);
  if (kind === "linear from 0") return linearScale(0, most * 1.05);
  const margin = (most - least || Math.abs(most) || 1) * 0.05;
  return linearScale(least - margin, most + margin);
}

/** Those that have a place on the axis. */
function drawable(points: readonly Point[], kind: LineChart["y"]): Point[] {
  const fits = (value: number): boolean => Number.isFinite(value) && (kind !== "logarithmic" || value > 0);
  return points.filter(({ x, y, low, high }) => Number.isFinite(x) && fits(y) && fits(low ?? y) && fits(high ?? y));
}

function toX({ place }: Scale, value: number): number {
  return rounded(PLOT.left + place(value) * (PLOT.right - PLOT.left));
}

function toY({ place }: Scale, value: number): number {
  return rounded(PLOT.bottom - place(value) * (PLOT.bottom - PLOT.top));
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
