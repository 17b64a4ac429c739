import { existsSync } from "node:fs";
import { request } from "node:http";
import { posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoPages } from "../../src/demo/demo-pages.ts";
import type { ModelCard } from "../../src/demo/page/model-card.ts";
import { parseImages, STORED_SIZE } from "../../src/shared/data/idx.ts";
import { instantiateModule } from "../../src/shared/kernel-instance.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { httpUrl, PageServer } from "../../src/shared/page-server.ts";
import type { Lenet5Kernels } from "../../src/worker/engines/wasm/kernel-exports.ts";

const SITE = new URL("../../dist/demo/site/page.html", import.meta.url);

const state = initialState(1);
const card: ModelCard = {
  ...{ run: "mine", checkpoint: "runs/mine/checkpoints/best", step: 20, epoch: 2, testAccuracy: 0.9934 },
  ...{ weightsSha256: "0".repeat(64), classNames: Array.from("0123456789"), sampleLabels: [7] },
};
const samples = { pixels: new Uint8Array(STORED_SIZE).fill(9), labels: [7] };
const pages = demoPages({ card, state, samples, notes: [] });
const server = new PageServer({ pages, portOption: "--port", hostOption: "--host" });
let port: number;
let url: string;
beforeAll(async () => {
  // As CONTRIBUTING.md says: the build comes first.
  expect(existsSync(SITE), "the page is not built: npm run build").toBe(true);
  port = await server.listen("127.0.0.1", 0);
  url = httpUrl("127.0.0.1", port, "");
});
afterAll(() => server.close());

/** A request as it is, which `fetch` would tidy up. */
async function statusOf(path: string, options: { method?: string; host?: string } = {}): Promise<number | undefined> {
  const { method = "GET", host = `127.0.0.1:${port}` } = options;
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: "127.0.0.1", path, method, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
}

const IMPORT = /(?:^import|[}\w*] from) "([^"]+)";$/gm;

test("the page is served with all that it imports, and imports nothing that only Node.js has", async () => {
  const page = await (await fetch(`${url}/`)).text();
  const waiting = [...page.matchAll(/(?:src|href)="([\w/.-]+)"/g)].map(([, path]) => `/${path}`);
  expect(waiting).toContain("/site/demo/page/main.js");
  const seen = new Set<string>();
  for (const path of waiting) {
    if (seen.has(path)) continue;
    seen.add(path);
    const response = await fetch(url + path);
    expect(response.status, path).toBe(200);
    expect(response.headers.get("content-type"), path).toMatch(/^text\/(javascript|css); charset=utf-8$/);
    const imported = [...(await response.text()).matchAll(IMPORT)].flatMap(([, name]) => name ?? []);
    expect(imported.filter((name) => !name.startsWith("."))).toEqual([]);
    waiting.push(...imported.map((name) => posix.join(posix.dirname(path), name)));
  }
  expect([...seen]).toEqual(
    expect.arrayContaining(["/site/worker/engines/wasm/wasm-engine.js", "/site/predict/prepare-image.js"]),
  );
});

test("nothing is loaded from elsewhere, nothing inline is run, and only WebAssembly is compiled", async () => {
  for (const path of ["/", "/page.css", "/site/demo/page/main.js", "/lenet5.wasm", "/model.json", "/weights.bin"]) {
    const { headers } = await fetch(url + path);
    expect(headers.get("content-security-policy"), path).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data:; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("cross-origin-resource-policy"), path).toBe("same-origin");
  }
});

test("the model is served to the last bit", async () => {
  const bytesOf = async (path: string): Promise<ArrayBuffer> => (await fetch(url + path)).arrayBuffer();
  expect(await (await fetch(`${url}/model.json`)).json()).toEqual(card);
  expect(new Float32Array(await bytesOf("/weights.bin"))).toEqual(state);
  expect(parseImages(new Uint8Array(await bytesOf("/samples.idx")), "samples.idx")).toEqual(samples.pixels);
  const kernels = new WebAssembly.Module(new Uint8Array(await bytesOf("/lenet5.wasm")));
  expect(instantiateModule<Lenet5Kernels>(kernels).exports.firstFreeByte()).toBeGreaterThan(0);
});

describe("what is no part of the page", () => {
  test.each([
    "/site/../../cli.js",
    "/site/demo/page/../../../../../package.json",
    "/site/%2e%2e/%2e%2e/cli.js",
    "/site/..%2f..%2fcli.js",
    "/site//etc/passwd",
    "//etc/passwd",
    "/site/page.html",
    "/site/",
    "/cli.js",
    "/metrics",
  ])("is not there: %s", async (path) => {
    expect(await statusOf(path)).toBe(404);
  });

  test("is not let in under another name, nor written to", async () => {
    expect(await statusOf("/weights.bin", { host: "evil.example" })).toBe(403);
    expect(await statusOf("/weights.bin", { method: "POST" })).toBe(405);
    expect(await statusOf("/weights.bin", { method: "HEAD" })).toBe(200);
  });
});
