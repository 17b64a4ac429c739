import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dashboardFiles } from "./dashboard-files.ts";

/** `npm run dashboards`: writes grafana/dashboards anew. */

for (const [name, content] of await dashboardFiles()) {
  const path = fileURLToPath(new URL(`../dashboards/${name}`, import.meta.url));
  writeFileSync(path, content);
  process.stdout.write(`wrote ${path}\n`);
}
