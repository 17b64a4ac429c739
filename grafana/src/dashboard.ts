import {
  DashboardCursorSync,
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  TimePickerBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { annotations } from "./annotations.ts";
import { layOut, type Section } from "./grid.ts";
import { variables } from "./variables.ts";

/** All dashboards have it; they find each other by it. */
const TAG = "lockstep";

export interface DashboardOptions {
  /** Part of its address; it must not change. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly sections: readonly Section[];
}

/** A dashboard as Grafana reads it from a file, ready to be turned into JSON. */
export function dashboard({ uid, title, description, sections }: DashboardOptions): object {
  // The kind that succeeds it is not read from files by Grafana 11 and earlier.
  // oxlint-disable-next-line typescript/no-deprecated
  const built = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .editable()
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("10s")
    .timepicker(new TimePickerBuilder().refreshIntervals(["5s", "10s", "30s", "1m", "5m"]))
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(variables())
    .annotations(annotations())
    .link(
      new DashboardLinkBuilder("lockstep")
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .includeVars(true)
        .keepTime(true),
    )
    .build();
  built.panels = layOut(sections);
  // Builders put these into a menu, where nobody sees that the other dashboard or the marks exist.
  for (const shown of [...(built.links ?? []), ...(built.annotations.list ?? [])]) delete shown.placement;
  return built;
}
