import type { AlignedData, Axis, Options, Scale, Series } from "uplot";
import { create } from "./dom.ts";

/** From /live/uplot.js, a classic script. */
declare const uPlot: typeof import("uplot");
type Plot = InstanceType<typeof uPlot>;

/** A curve of a chart. */
export interface Curve {
  readonly label: string;
  /** The CSS variable that holds its colour. */
  readonly color: string;
  readonly width: number;
  /** Single points far from each other, which are marked and joined. */
  readonly sparse?: boolean;
  /** Not shown, nor named, while it has no values. */
  readonly isOptional?: boolean;
  readonly text: (value: number | null | undefined) => string;
}

type YRange = (data: AlignedData, min: number, max: number) => [number, number];

export interface ChartOptions {
  readonly curves: readonly Curve[];
  readonly axisText: (value: number) => string;
  readonly xText: (value: number) => string;
  /** The y range to show, on a linear scale and on a logarithmic one. */
  readonly range?: YRange;
  readonly logRange?: YRange;
}

/** Room for an axis' labels, in CSS pixels. */
const Y_AXIS_PX = 58;
const X_AXIS_PX = 30;

/** Curves over the run's steps, in the page's colours, as wide as there is room; arrow keys move along them. */
export class Chart {
  readonly #options: ChartOptions;
  readonly #element: HTMLElement;
  readonly #legend: HTMLElement;
  #plot: Plot | undefined;
  /** Those of the options that are shown. */
  #curves: readonly Curve[];
  #data: AlignedData;
  #isLog = false;

  constructor(element: HTMLElement, options: ChartOptions) {
    this.#options = options;
    this.#element = element;
    this.#legend = create("div", { attributes: { class: "legend" } });
    element.after(this.#legend);
    this.#curves = options.curves.filter(({ isOptional }) => isOptional !== true);
    this.#data = [[], ...this.#curves.map(() => [])];
    new ResizeObserver(() => this.#resize()).observe(element);
    element.addEventListener("keydown", (event) => this.#moveCursor(event));
    element.addEventListener("blur", () => this.#plot?.setCursor({ left: -10, top: -10 }));
  }

  /** Logarithmic or linear; values of 0 and less are not on a logarithmic scale. */
  set isLog(isLog: boolean) {
    this.#isLog = isLog;
    this.rebuild();
  }

  /** @param data the steps, then a column for each curve */
  show([steps, ...columns]: AlignedData): void {
    const { curves } = this.#options;
    const isShown = curves.map(({ isOptional }, index) => isOptional !== true || hasValues(columns[index]));
    const data = [steps, ...columns.filter((_, index) => isShown[index])] as AlignedData;
    const before = this.#curves.length;
    this.#curves = curves.filter((_, index) => isShown[index]);
    this.#data = this.#isLog ? onLogScale(data) : data;
    if (this.#plot === undefined || this.#curves.length !== before) this.rebuild();
    else this.#plot.setData(this.#data);
    this.#showLatest();
    this.#describe();
  }

  /** Draws everything anew, in the colours of now. */
  rebuild(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    if ((this.#data[0]?.length ?? 0) === 0) return;
    this.#data = this.#isLog ? onLogScale(this.#data) : this.#data;
    this.#plot = new uPlot(this.#plotOptions(), this.#data, this.#element);
    this.#showLatest();
  }

  #plotOptions(): Options {
    const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis: Axis = {
      stroke: color("--muted"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: color("--grid"), width: 1 },
      ticks: { show: false },
    };
    const { axisText, xText } = this.#options;
    const range = this.#isLog ? this.#options.logRange : this.#options.range;
    const y: Scale = {};
    // 3 is logarithmic; uPlot has a name for it in its types only, not in its script.
    if (this.#isLog) Object.assign(y, { distr: 3 });
    if (range !== undefined) {
      y.range = (plot, min, max) => (plot.data[0].length > 0 ? range(plot.data, min, max) : [1, 10]);
    }
    return {
      ...this.#size(),
      padding: [10, 12, 0, 0],
      scales: { x: { time: false }, y },
      cursor: { drag: { x: false, y: false }, sync: { key: "steps" }, y: false, points: { size: 7 } },
      axes: [
        { ...axis, size: X_AXIS_PX, values: (_plot, values) => values.map(xText) },
        {
          ...axis,
          size: Y_AXIS_PX,
          ...(this.#isLog ? { grid: { ...axis.grid, filter: (_plot, splits) => splits.map(onlyRound) } } : {}),
          // On a logarithmic scale uPlot leaves out values between its labels.
          values: (_plot, values) => values.map((value: number | null) => (value === null ? "" : axisText(value))),
        },
      ],
      legend: { mount: (_plot, legend) => this.#legend.replaceChildren(legend) },
      // Nobody points at the plot any more, or it was drawn anew.
      hooks: { setLegend: [() => this.#showLatest()] },
      series: [
        { label: "Step", value: (_plot, value) => (value === null ? "–" : value.toLocaleString("en-US")) },
        ...this.#curves.map((curve): Series => ({
          label: curve.label,
          stroke: color(curve.color),
          width: curve.width,
          spanGaps: curve.sparse === true,
          points: { show: curve.sparse === true, size: 6, fill: color(curve.color) },
          value: (plot, value, series, index) =>
            curve.text(curve.sparse ? lastBefore(plot.data[series], index) : value),
        })),
      ],
    };
  }

  #size(): { width: number; height: number } {
    const { clientWidth, clientHeight } = this.#element;
    return { width: Math.max(120, clientWidth), height: Math.max(100, clientHeight) };
  }

  #resize(): void {
    this.#plot?.setSize(this.#size());
  }

  /** The legend has the newest values while nobody points at others. */
  #showLatest(): void {
    const plot = this.#plot;
    if (plot === undefined || typeof plot.cursor.idx === "number") return;
    plot.setLegend({ idx: this.#data[0].length - 1 }, false);
  }

  #describe(): void {
    const last = this.#data[0].length - 1;
    if (last < 0) return;
    const values = this.#curves.map(
      ({ label, text }, index) => `${label} ${text(lastBefore(this.#data[index + 1], last))}`,
    );
    const label = `Curve over ${this.#options.xText(this.#data[0][last] ?? 0)} steps. Now: ${values.join(", ")}.`;
    this.#element.setAttribute("aria-label", label);
  }

  #moveCursor(event: KeyboardEvent): void {
    const plot = this.#plot;
    const last = this.#data[0].length - 1;
    if (plot === undefined || last < 0) return;
    const index = plot.cursor.idx ?? last;
    const target = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      const step = this.#data[0][Math.max(0, Math.min(last, target))] ?? 0;
      plot.setCursor({ left: plot.valToPos(step, "x"), top: 10 });
    } else if (event.key === "Escape") {
      plot.setCursor({ left: -10, top: -10 });
      this.#showLatest();
    }
  }
}

/** 1, 2 or 5 times a power of ten; lines at all values that uPlot offers would be a fence. */
function onlyRound(split: number): number | null {
  return /^[125]e/.test(split.toExponential()) ? split : null;
}

function onLogScale([steps, ...columns]: AlignedData): AlignedData {
  return [
    steps,
    ...columns.map((column) => Array.from(column, (value) => ((value ?? 0) > 0 ? value : null))),
  ] as AlignedData;
}

function hasValues(column: AlignedData[number] | undefined): boolean {
  return Array.from(column ?? []).some((value) => value !== null && value !== undefined);
}

/** The last value that is there up to an index. */
function lastBefore(column: AlignedData[number] | undefined, index: number | null): number | null {
  for (let at = index ?? -1; at >= 0; at--) {
    const value = column?.[at];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}
