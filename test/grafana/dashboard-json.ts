import type * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as table from "@grafana/grafana-foundation-sdk/table";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

/**
 * A dashboard's JSON in the SDK's own types, with what they leave open filled in: the queries are Prometheus's, and each
 * kind of panel has options of its own. A JSON schema is made of it.
 */
// The kind that succeeds it is not read from files by Grafana 11 and earlier.
// oxlint-disable-next-line typescript/no-deprecated
export interface DashboardJson extends Omit<dashboard.Dashboard, "panels" | "annotations"> {
  uid: string;
  title: string;
  panels: (Graph | Stat | Table | Heading)[];
  annotations: { list: Annotation[] };
}

interface Annotation extends Omit<dashboard.AnnotationQuery, "target"> {
  target: prometheus.Dataquery;
}

/** A row that is open: its panels follow it. */
interface Heading extends Omit<dashboard.RowPanel, "panels" | "gridPos"> {
  gridPos: dashboard.GridPos;
  panels: never[];
}

interface Common extends Omit<dashboard.Panel, "type" | "options" | "targets" | "fieldConfig"> {
  id: number;
  title: string;
  description: string;
  gridPos: dashboard.GridPos;
  targets: prometheus.Dataquery[];
}

interface Fields<Custom> {
  defaults: Omit<dashboard.FieldConfig, "custom"> & Custom;
  overrides: dashboard.FieldConfigSource["overrides"];
}

interface Graph extends Common {
  type: "timeseries";
  options: timeseries.Options;
  fieldConfig: Fields<{ custom: timeseries.FieldConfig }>;
}

interface Stat extends Common {
  type: "stat";
  options: stat.Options;
  fieldConfig: Fields<{ custom?: never }>;
}

interface Table extends Common {
  type: "table";
  options: table.Options;
  fieldConfig: Fields<{ custom: table.FieldConfig }>;
}
