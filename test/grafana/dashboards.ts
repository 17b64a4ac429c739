import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The dashboards as they lie in the repository, and what tests ask of them. */

const FOLDER = fileURLToPath(new URL("../../grafana/dashboards/", import.meta.url));

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
}

export interface DashboardPanel {
  readonly id: number;
  readonly type: "row" | "timeseries" | "stat" | "table";
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly options?: unknown;
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly custom?: unknown } };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly tags: readonly string[];
  readonly refresh: string;
  readonly time: { readonly from: string; readonly to: string };
  readonly links: readonly { readonly type: string; readonly tags: readonly string[] }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly target: Target }[] };
  readonly panels: readonly DashboardPanel[];
}

export const DASHBOARDS: readonly { readonly file: string; readonly text: string; readonly json: Dashboard }[] =
  readdirSync(FOLDER).map((file) => {
    const text = readFileSync(join(FOLDER, file), "utf8");
    return { file, text, json: JSON.parse(text) as Dashboard };
  });

/** All that Grafana would ask Prometheus for; names say where it comes from. */
export function queriesOf({ title, panels, annotations }: Dashboard): { name: string; expr: string; panel: boolean }[] {
  return [
    ...panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr, refId }) => ({
        name: `${title} / ${panel.title} / ${refId}`,
        expr,
        panel: true,
      })),
    ),
    ...annotations.list.map(({ name, target }) => ({
      name: `${title} / annotation / ${name}`,
      expr: target.expr,
      panel: false,
    })),
  ];
}
