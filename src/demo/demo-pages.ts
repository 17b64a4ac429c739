import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeImages } from "../shared/data/idx.ts";
import { kernelFile } from "../shared/kernel-module.ts";
import { pageFile, pageHeaders, readBuilt } from "../shared/page-file.ts";
import type { Handler } from "../shared/page-server.ts";
import { encodeValues } from "../shared/safetensors.ts";
import type { DemoModel } from "./demo-model.ts";

/** Where the build puts the page: seen from `src/demo` and from `dist/demo` alike. */
const SITE_FOLDER = fileURLToPath(new URL("../../dist/demo/site/", import.meta.url));
const STYLES = ["theme.css", "page.css"];
const PAGE = "demo page";
/** The browser compiles the kernels; scripts are the page's own, as everywhere. */
const HEADERS = pageHeaders(["'wasm-unsafe-eval'"]);
const BYTES = "application/octet-stream";

/**
 * All that is served, by path: the page, its scripts below /site/, the engine's kernels, and the model. Where the build
 * has not made the page, "/" says so.
 */
export function demoPages({ card, state, samples }: DemoModel): ReadonlyMap<string, Handler> {
  const fileOf = (name: string): Handler => pageFile({ name: join(SITE_FOLDER, name), page: PAGE, headers: HEADERS });
  const weights = encodeValues([{ shape: [state.length], values: state }]);
  const images = encodeImages(samples.pixels);
  return new Map<string, Handler>([
    ["/", fileOf("page.html")],
    ...STYLES.map((name): [string, Handler] => [`/${name}`, fileOf(name)]),
    ...scripts().map((name): [string, Handler] => [`/site/${name}`, fileOf(name)]),
    ["/lenet5.wasm", kernels()],
    ["/model.json", () => ({ contentType: "application/json", body: `${JSON.stringify(card)}\n`, headers: HEADERS })],
    ["/weights.bin", () => ({ contentType: BYTES, body: weights, headers: HEADERS })],
    ["/samples.idx", () => ({ contentType: BYTES, body: images, headers: HEADERS })],
  ]);
}

/** The compiled scripts, with / between folders: the page's and what they import, since the build puts nothing else there. */
function scripts(): string[] {
  let names: string[];
  try {
    names = readdirSync(SITE_FOLDER, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return names.map((name) => name.replaceAll("\\", "/")).filter((name) => /^[\w/-]+(\.[\w-]+)*\.js$/.test(name));
}

function kernels(): Handler {
  const path = kernelFile("lenet5");
  let body: Uint8Array | undefined;
  return () => ({
    contentType: "application/wasm",
    body: (body ??= readBuilt(path, PAGE, () => readFileSync(path))),
    headers: HEADERS,
  });
}
