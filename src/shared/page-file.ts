/** Files that pages are made of, as they are served: read when first asked for, under a policy that lets nothing else in. */

import { readFileSync } from "node:fs";
import { LockstepError, messageOf } from "./errors.ts";

const CONTENT_TYPES = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
} as const;

/** A file as it is served. */
export interface PageFile {
  readonly contentType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The headers of a page's files: nothing from elsewhere is loaded, nothing inline is run, nothing frames the page.
 *
 * @param scripts further sources of scripts, as a content security policy has them
 */
export function pageHeaders(scripts: readonly string[] = []): Readonly<Record<string, string>> {
  return {
    "content-security-policy":
      `default-src 'none'; script-src ${["'self'", ...scripts].join(" ")}; style-src 'self'; connect-src 'self'; ` +
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

export interface PageFileOptions {
  /** Ends in .html, .css or .js. */
  readonly name: string;
  /** Where it lies; the name itself unless told. Asked when the file is first read. */
  readonly path?: () => string;
  /** What to call the page in errors: "live page". */
  readonly page: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads a file of text when it is first asked for. The reader throws a LockstepError when it cannot be read. */
export function pageFile({ name, path = () => name, page, headers }: PageFileOptions): () => PageFile {
  const contentType = CONTENT_TYPES[name.slice(name.lastIndexOf(".") + 1) as keyof typeof CONTENT_TYPES];
  let file: PageFile | undefined;
  return () => (file ??= { contentType, body: readBuilt(name, page, () => readFileSync(path(), "utf8")), headers });
}

/**
 * What the build has made of a page.
 *
 * @throws LockstepError that says to build it
 */
export function readBuilt<Content>(name: string, page: string, read: () => Content): Content {
  try {
    return read();
  } catch (thrown) {
    throw new LockstepError("failed", `cannot read ${name} of the ${page} (${messageOf(thrown)}): run "npm run build"`);
  }
}
