import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import { type AnnotationQuery, AnnotationQueryBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { DATASOURCE } from "./panels.ts";
import { RUN } from "./promql.ts";

/** As long as from scrape to scrape: an event shows up in one sample, and becomes one mark. Grafana's own default is a minute. */
const STEP = "15s";

/** Marks in all graphs: workers that join or are lost, and checkpoints. */
export function annotations(): Builder<AnnotationQuery>[] {
  return [
    annotation("Workers joined", "green", "lockstep_workers_joined_total"),
    annotation("Workers lost", "red", "lockstep_workers_lost_total"),
    // With a checkpoint every few steps there would be nothing but marks.
    annotation("Checkpoints", "blue", "lockstep_checkpoints_total").enable(false),
  ];
}

/** Marks where a counter went up. */
function annotation(name: string, colour: string, counter: string): AnnotationQueryBuilder {
  const series = `${counter}{${RUN}}`;
  // Grafana marks every sample that is there: those without an event must not be.
  const expr = `(${series} - ${series} offset $__interval) > 0`;
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(colour)
    .target(new DataqueryBuilder().expr(expr).refId("Anno").interval(STEP))
    .titleFormat(name)
    .tagKeys("run");
}
