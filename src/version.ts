import { createRequire } from "node:module";

const manifest = createRequire(import.meta.url)("../package.json") as { readonly version: string };

/** Of lockstep itself, from its package.json. */
export const VERSION = manifest.version;
