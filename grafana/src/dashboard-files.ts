import { format } from "prettier";
import { fleetDashboard } from "./fleet.ts";
import { trainingDashboard } from "./training.ts";

/** All dashboards as files: name and content, formatted like the rest of the repository. */
export async function dashboardFiles(): Promise<Map<string, string>> {
  const dashboards = { training: trainingDashboard(), fleet: fleetDashboard() };
  const files = new Map<string, string>();
  for (const [name, dashboard] of Object.entries(dashboards)) {
    files.set(`${name}.json`, await format(JSON.stringify(dashboard), { parser: "json", printWidth: 120 }));
  }
  return files;
}
