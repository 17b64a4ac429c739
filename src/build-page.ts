/** Build step: copies what tsc leaves behind of the live page, into the folder of its scripts. Runs after tsc. */
import { copyFileSync, mkdirSync } from "node:fs";

/** Seen from `src` and from `dist` alike. */
const ROOT = new URL("../", import.meta.url);
const FOLDER = "coordinator/live/page/";

mkdirSync(new URL(`dist/${FOLDER}`, ROOT), { recursive: true });
for (const name of ["page.html", "page.css"]) {
  copyFileSync(new URL(`src/${FOLDER}${name}`, ROOT), new URL(`dist/${FOLDER}${name}`, ROOT));
}
