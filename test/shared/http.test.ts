import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AccessToken } from "../../src/shared/access-token.ts";
import { MonitoringServer, type MonitoringSources } from "../../src/shared/http.ts";
import type { Handler } from "../../src/shared/page-server.ts";

const servers: MonitoringServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function create(sources: Partial<MonitoringSources> = {}): MonitoringServer {
  const server = new MonitoringServer({
    metrics: () => Promise.resolve("lockstep_loss 1\n"),
    metricsContentType: "text/plain; version=0.0.4",
    status: () => ({ step: 3 }),
    unready: () => undefined,
    ...sources,
  });
  servers.push(server);
  return server;
}

async function listen(sources: Partial<MonitoringSources> = {}): Promise<string> {
  return `http://127.0.0.1:${await create(sources).listen("127.0.0.1", 0)}`;
}

test("serves metrics, health and status", async () => {
  const url = await listen();
  const metrics = await fetch(`${url}/metrics?x=1`);
  expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(await metrics.text()).toBe("lockstep_loss 1\n");
  expect(await (await fetch(`${url}/healthz`)).text()).toBe("ok\n");
  const status = await fetch(`${url}/status`);
  expect(status.headers.get("content-type")).toBe("application/json");
  expect(await status.json()).toEqual({ step: 3 });
});

test("answers HEAD without a body", async () => {
  const response = await fetch(`${await listen()}/healthz`, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
});

test("is ready, or says why not", async () => {
  let problem: string | undefined = "the run is over";
  const url = await listen({ unready: () => problem });
  const refused = await fetch(`${url}/readyz`);
  expect([refused.status, await refused.text()]).toEqual([503, "the run is over\n"]);
  problem = undefined;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("serves further pages, with headers of their own", async () => {
  const page = { contentType: "text/html", body: new TextEncoder().encode("<p>é"), headers: { "x-of": "mine" } };
  const response = await fetch(await listen({ pages: new Map([["/", () => page]]) }));
  expect([response.headers.get("content-type"), response.headers.get("x-of")]).toEqual(["text/html", "mine"]);
  expect([response.headers.get("cache-control"), await response.text()]).toEqual(["no-store", "<p>é"]);
});

test("a page may be a stream, which ends with the server", async () => {
  const pages = new Map<string, Handler>([
    [
      "/events",
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
        return undefined;
      },
    ],
  ]);
  const server = create({ pages });
  const url = `http://127.0.0.1:${await server.listen("127.0.0.1", 0)}/events`;
  const response = await fetch(url);
  const reader = response.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: 1\n\n");
  await server.close();
  await expect(reader.read()).rejects.toThrow("terminated");
});

test("a handler that fails in the midst of its answer ends it", async () => {
  const fail: Handler = (_request, response) => {
    response.writeHead(200).write("half");
    throw new Error("no more");
  };
  const url = await listen({ pages: new Map([["/half", fail]]) });
  await expect(fetch(`${url}/half`).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("refuses other paths and methods", async () => {
  const url = await listen();
  const missing = await fetch(`${url}/`);
  expect([missing.status, await missing.text()]).toEqual([
    404,
    "not found; there is /metrics, /healthz, /readyz, /status\n",
  ]);
  const posted = await fetch(`${url}/metrics`, { method: "POST", body: "x" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

test("a source that fails is a 500, and the server lives on", async () => {
  const url = await listen({ metrics: () => Promise.reject(new Error("no metrics today")) });
  const response = await fetch(`${url}/metrics`);
  expect([response.status, await response.text()]).toEqual([500, "no metrics today\n"]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a port in use is an error that names the option, or falls back to a free one", async () => {
  const port = await create().listen("127.0.0.1", 0);
  await expect(create().listen("127.0.0.1", port)).rejects.toMatchObject({
    code: "failed",
    message: `--metrics-port ${port} is in use on 127.0.0.1; choose another, or 0 for a free one`,
  });
  const other = await create().listen("127.0.0.1", port, { fallbackToFreePort: true });
  expect(other).not.toBe(port);
  expect((await fetch(`http://127.0.0.1:${other}/healthz`)).status).toBe(200);
});

test("an address of another machine is an error that names the option", async () => {
  // 192.0.2.0/24 is reserved for documentation (RFC 5737).
  await expect(create().listen("192.0.2.1", 0)).rejects.toThrow("--metrics-host 192.0.2.1 is no address of this");
});

test("close ends open connections and frees the port, and may come twice or first", async () => {
  const server = create();
  const port = await server.listen("127.0.0.1", 0);
  await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
  await server.close();
  await server.close();
  const taker = createServer();
  await new Promise<void>((resolve, reject) => taker.once("error", reject).listen(port, "127.0.0.1", resolve));
  await new Promise((resolve) => taker.close(resolve));
  await create().close();
});

test("on loopback only this machine's own names are answered, so that no web page can call it by one of its own", async () => {
  const statusFor = async (url: string, host: string): Promise<number | undefined> => {
    const request = get(`${url}/status`, { headers: { host } });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  const url = await listen();
  for (const host of ["localhost:9464", "127.0.0.1", "127.1.2.3:80", "[::1]:9464", "LocalHost"]) {
    expect(await statusFor(url, host), host).toBe(200);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9464", "10.0.0.1"]) {
    expect(await statusFor(url, host), host).toBe(403);
  }
  const open = `http://127.0.0.1:${await create().listen("0.0.0.0", 0)}`;
  expect(await statusFor(open, "coordinator:9464")).toBe(200);
});

test("with a token all is closed but health, whatever the method, and nothing tells which pages there are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-http-test-"));
  const path = join(folder, "token");
  writeFileSync(path, "correct-horse-battery-staple", { mode: 0o600 });
  const token = new AccessToken(path, () => {});
  rmSync(folder, { recursive: true });
  const page = { contentType: "text/html", body: "page" };
  const server = create({ pages: new Map([["/", () => page]]) });
  const url = `http://127.0.0.1:${await server.listen("127.0.0.1", 0, { token })}`;
  for (const path of ["/", "/metrics", "/status", "/nothing", "//healthz", "/healthz/../metrics", "/HEALTHZ"]) {
    for (const method of ["GET", "HEAD", "POST"]) {
      const response = await fetch(`${url}${path}`, { method });
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="lockstep", Basic realm=/);
    }
  }
  for (const path of ["/healthz", "/readyz?x"]) expect((await fetch(`${url}${path}`)).status).toBe(200);
  const headers = { authorization: "Bearer correct-horse-battery-staple" };
  expect(await (await fetch(`${url}/metrics`, { headers })).text()).toBe("lockstep_loss 1\n");
  expect((await fetch(`${url}/nothing`, { headers })).status).toBe(404);
  const wrong = { authorization: "Bearer correct-horse-battery-stable" };
  expect((await fetch(`${url}/metrics`, { headers: wrong })).status).toBe(401);
});

test("many that ask for the metrics at the same time get one answer, and the next one a new one", async () => {
  let made = 0;
  const metrics = async (): Promise<string> => {
    made += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return `made ${made}\n`;
  };
  const { port } = new URL(await listen({ metrics }));
  const socket = connect(Number(port), "127.0.0.1");
  socket.write("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200));
  let heard = "";
  socket.on("data", (bytes: Buffer) => (heard += bytes.toString()));
  await expect.poll(() => heard.split("HTTP/1.1 200").length - 1, { timeout: 10_000 }).toBe(200);
  expect(made).toBeLessThan(20);
  const before = made;
  await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(made).toBe(before + 1);
  socket.destroy();
});

test("a request with more header than any reader sends is refused", async () => {
  const url = await listen();
  const headers = { "x-much": "x".repeat(10_000) };
  expect((await fetch(`${url}/healthz`, { headers })).status).toBe(431);
});

test("those that send a request byte by byte are sent away, and do not keep others out", async () => {
  const server = create();
  const port = await server.listen("127.0.0.1", 0);
  const slow = Array.from({ length: 63 }, () => connect(port, "127.0.0.1"));
  const gone = slow.map((socket) => {
    socket.on("error", () => {}).write("GET /healthz HTTP/1.1\r\nx: ");
    return new Promise((resolve) => socket.once("close", resolve));
  });
  const trickle = setInterval(() => slow.forEach((socket) => socket.write("y")), 500);
  try {
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await Promise.all(gone);
  } finally {
    clearInterval(trickle);
  }
}, 30_000);
