/** Build step: copies what tsc leaves behind of the pages, into the folders of their scripts. Runs after tsc. */
import { copyFileSync, mkdirSync } from "node:fs";

/** Seen from `src` and from `dist` alike. */
const ROOT = new URL("../", import.meta.url);
const LIVE = "coordinator/live/page/";
const DEMO = "demo/page/";

/** From a folder of `src` to one of `dist`. */
function copy(names: readonly string[], from: string, to: string): void {
  mkdirSync(new URL(`dist/${to}`, ROOT), { recursive: true });
  for (const name of names) copyFileSync(new URL(`src/${from}${name}`, ROOT), new URL(`dist/${to}${name}`, ROOT));
}

copy(["page.html", "page.css", "theme.css"], LIVE, LIVE);
copy(["page.html", "page.css"], DEMO, "demo/site/");
copy(["theme.css"], LIVE, "demo/site/");
