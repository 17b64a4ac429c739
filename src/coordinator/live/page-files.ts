import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type PageFile, pageFile, pageHeaders } from "../../shared/page-file.ts";

/** Where the build puts the page: seen from `src/coordinator/live` and from `dist/coordinator/live` alike. */
const PAGE_FOLDER = fileURLToPath(new URL("../../../dist/coordinator/live/page/", import.meta.url));

const OF_PAGE = { page: "live page", headers: pageHeaders() };

/**
 * What the live page consists of, by path; each file is read when it is first asked for, and the reader throws a
 * LockstepError when it cannot be. Where the build has not made the page there is "/" only.
 */
export function pageFiles(): ReadonlyMap<string, () => PageFile> {
  const files = new Map([["/", pageFile({ name: join(PAGE_FOLDER, "page.html"), ...OF_PAGE })]]);
  for (const name of builtFiles()) files.set(`/live/${name}`, pageFile({ name: join(PAGE_FOLDER, name), ...OF_PAGE }));
  for (const [path, module] of [
    ["/live/uplot.js", "uplot/dist/uPlot.iife.min.js"],
    ["/live/uplot.css", "uplot/dist/uPlot.min.css"],
  ] as const) {
    const resolved = (): string => createRequire(import.meta.url).resolve(module);
    files.set(path, pageFile({ name: module, path: resolved, ...OF_PAGE }));
  }
  return files;
}

/** Scripts and styles that the build has made. */
function builtFiles(): string[] {
  try {
    return readdirSync(PAGE_FOLDER).filter((name) => /^[\w-]+\.(js|css)$/.test(name));
  } catch {
    return [];
  }
}
