import { existsSync } from "node:fs";
import { type Browser, launch } from "puppeteer-core";

/** A real browser for tests of pages: Chromium, without a window. */

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const path = [process.env["CHROMIUM"], ...PLACES].find((place) => place !== undefined && existsSync(place));

/** Why pages cannot be tested here; undefined when they can. */
export const browserMissing =
  path === undefined ? "needs Chromium: apt-get install chromium; CHROMIUM names another" : undefined;

/** Starts a browser of its own, which the caller closes. */
export async function startBrowser(): Promise<Browser> {
  // Root may not use the sandbox, and small machines have little shared memory.
  const args = ["--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];
  return launch({ ...(path === undefined ? {} : { executablePath: path }), args });
}
