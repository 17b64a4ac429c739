import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableCellHeight,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as GraphBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** The three kinds of panels that the dashboards have, all with the same looks. */

/** The Prometheus that is chosen on the dashboard. */
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

/** A line, or several that are told apart by their labels. */
export interface Query {
  readonly expr: string;
  /** As Grafana's legends are written: `{{worker}}` is the label's value. */
  readonly legend: string;
}

interface PanelOptions {
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly description: string;
  /** Grafana's name of it: `s`, `Bps`, `percentunit`, `short`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  /** Colours from a value on; the first step has the value null: from minus infinity. */
  readonly thresholds?: readonly Threshold[];
}

export interface GraphOptions extends PanelOptions {
  /** Areas on top of each other. */
  readonly stacked?: boolean;
  /** Bars: for what happens now and then. */
  readonly bars?: boolean;
  /** Fixed colours by legend, where a colour means something. */
  readonly colours?: Readonly<Record<string, string>>;
}

export interface StatOptions extends PanelOptions {
  /** Words in place of values. */
  readonly mappings?: readonly ValueMapping[];
  /** Each value with its name. */
  readonly named?: boolean;
  /** Only what is true now; otherwise the last value in the time range stays, when a run is over too. */
  readonly now?: boolean;
  /** What is shown where there is no value. */
  readonly noValue?: string;
}

/** Values over time. */
export function graph(options: GraphOptions): Builder<Panel> {
  const { stacked = false, bars = false, colours = {} } = options;
  const panel = common(new GraphBuilder(), options)
    .targets(options.queries.map((query, index) => dataquery(query, index).range()))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(["lastNotNull"]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .drawStyle(bars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineWidth(bars ? 0 : 1)
    .fillOpacity(bars ? 80 : stacked ? 40 : 10)
    .showPoints(VisibilityMode.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic));
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group("A"));
  for (const [legend, fixedColor] of Object.entries(colours)) {
    panel.overrideByName(legend, [{ id: "color", value: { mode: "fixed", fixedColor } }]);
  }
  return panel;
}

/** A value, or a few: the last that are known. */
export function stat(options: StatOptions): Builder<Panel> {
  const { queries, now = false } = options;
  const panel = common(new StatBuilder(), options)
    .targets(queries.map((query, index) => (now ? dataquery(query, index).instant() : dataquery(query, index).range())))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false))
    .graphMode(BigValueGraphMode.None)
    .colorMode(options.thresholds === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .textMode(options.named === true ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
  if (options.mappings !== undefined) panel.mappings([...options.mappings]);
  if (options.noValue !== undefined) panel.noValue(options.noValue);
  return panel;
}

export interface TableOptions extends Omit<PanelOptions, "unit" | "queries"> {
  /** Each gives a column; rows are joined where the labels that they share are the same. */
  readonly queries: readonly string[];
  /** Columns in this order: labels, and `A`, `B` ... for the queries' values; all others are hidden. */
  readonly columns: readonly TableColumn[];
}

interface TableColumn {
  readonly of: string;
  readonly title: string;
  readonly unit?: string;
}

/** What the labels say, and a value a column. */
export function table(options: TableOptions): Builder<Panel> {
  const queries = options.queries.map((expr) => ({ expr, legend: "" }));
  // Grafana names a column of values after its query; with a single query it is called "Value" alone.
  const field = ({ of }: TableColumn): string => {
    if (!/^[A-Z]$/.test(of)) return of;
    return queries.length === 1 ? "Value" : `Value #${of}`;
  };
  const shown = new Set(options.columns.map(field));
  const valueFields = queries.length === 1 ? ["Value"] : queries.map((_, index) => `Value #${refId(index)}`);
  const hidden = ["Time", ...valueFields].filter((name) => !shown.has(name));
  const panel = common(new TableBuilder(), { ...options, queries, unit: "none" })
    .targets(queries.map((query, index) => dataquery(query, index).format(PromQueryFormat.Table).instant()))
    .cellHeight(TableCellHeight.Sm)
    .showHeader(true)
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
        indexByName: Object.fromEntries(options.columns.map((column, index) => [field(column), index])),
        renameByName: Object.fromEntries(options.columns.map((column) => [field(column), column.title])),
      },
    });
  for (const { title, unit } of options.columns) {
    const properties: DynamicConfigValue[] = unit === undefined ? [] : [{ id: "unit", value: unit }];
    if (properties.length > 0) panel.overrideByName(title, properties);
  }
  return panel;
}

type AnyBuilder = GraphBuilder | StatBuilder | TableBuilder;

function common<B extends AnyBuilder>(builder: B, options: PanelOptions): B {
  builder.title(options.title).description(options.description).unit(options.unit).datasource(DATASOURCE);
  if (options.decimals !== undefined) builder.decimals(options.decimals);
  if (options.min !== undefined) builder.min(options.min);
  if (options.max !== undefined) builder.max(options.max);
  const steps = options.thresholds ?? [{ value: null, color: "green" }];
  builder.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps]));
  return builder;
}

function dataquery({ expr, legend }: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder().datasource(DATASOURCE).expr(expr).legendFormat(legend).refId(refId(index));
}

function refId(index: number): string {
  return String.fromCodePoint("A".codePointAt(0)! + index);
}
