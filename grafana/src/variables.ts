import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE } from "./panels.ts";
import { NOT_GONE, RUN } from "./promql.ts";

/** What can be chosen at the top of every dashboard: the Prometheus, a run in it, and workers of that run. */
export function variables(): Builder<VariableModel>[] {
  return [
    new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"),
    // Runs are named after the time of their start: the newest comes first, and is chosen.
    labelValues("run", "Run", "lockstep_run_info", "run").sort(VariableSort.AlphabeticalDesc),
    labelValues("worker", "Worker", `lockstep_worker_shards_total{${RUN}, ${NOT_GONE}}`, "worker")
      .sort(VariableSort.NaturalAsc)
      .multi(true)
      .includeAll(true)
      .allValue(".*")
      .current({ text: ["All"], value: ["$__all"] }),
  ];
}

function labelValues(name: string, title: string, series: string, label: string): QueryVariableBuilder {
  const query = `label_values(${series}, ${label})`;
  return new QueryVariableBuilder(name)
    .label(title)
    .datasource(DATASOURCE)
    .query({ query, refId: `variable-${name}` })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}
