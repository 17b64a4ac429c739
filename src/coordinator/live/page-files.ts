import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LockstepError, messageOf } from "../../shared/errors.ts";

/** Where the build puts the page: seen from `src/coordinator/live` and from `dist/coordinator/live` alike. */
const PAGE_FOLDER = fileURLToPath(new URL("../../../dist/coordinator/live/page/", import.meta.url));

const CONTENT_TYPES = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
} as const;

/** Nothing from elsewhere is loaded, nothing inline is run, nothing frames the page. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** A file as it is served. */
export interface PageFile {
  readonly contentType: string;
  readonly body: string;
  readonly headers: typeof HEADERS;
}

/**
 * What the live page consists of, by path; each file is read when it is first asked for, and the reader throws a
 * LockstepError when it cannot be. Where the build has not made the page there is "/" only.
 */
export function pageFiles(): ReadonlyMap<string, () => PageFile> {
  const files = new Map([["/", reader(join(PAGE_FOLDER, "page.html"))]]);
  for (const name of builtFiles()) files.set(`/live/${name}`, reader(join(PAGE_FOLDER, name)));
  for (const [path, module] of [
    ["/live/uplot.js", "uplot/dist/uPlot.iife.min.js"],
    ["/live/uplot.css", "uplot/dist/uPlot.min.css"],
  ] as const) {
    files.set(
      path,
      reader(module, (name) => createRequire(import.meta.url).resolve(name)),
    );
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

function reader(name: string, pathOf = (path: string) => path): () => PageFile {
  let file: PageFile | undefined;
  return () => (file ??= { contentType: contentTypeOf(name), body: readPageFile(name, pathOf), headers: HEADERS });
}

function readPageFile(name: string, pathOf: (name: string) => string): string {
  try {
    return readFileSync(pathOf(name), "utf8");
  } catch (thrown) {
    throw new LockstepError(
      "failed",
      `cannot read ${name} of the live page (${messageOf(thrown)}): run "npm run build"`,
    );
  }
}

function contentTypeOf(name: string): string {
  return CONTENT_TYPES[name.slice(name.lastIndexOf(".") + 1) as keyof typeof CONTENT_TYPES];
}
