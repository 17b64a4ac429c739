import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LivePages } from "../../../src/coordinator/live/live-pages.ts";
import { FakeTime } from "../../support/fake-clock.ts";
import { finished, started, step } from "../training-events.ts";

/** The stream over real HTTP, at a time that passes only when it is told to. */

let time: FakeTime;
let live: LivePages;
let server: Server;
let port: number;

beforeEach(async () => {
  time = new FakeTime();
  live = new LivePages({ clock: time.clock(), unixNow: () => 0, runName: () => "mine", workers: () => [] });
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const page = live.pages.get(request.url ?? "")?.(request, response);
    if (page !== undefined) response.end(page.body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

/** A client that reads what it is sent. */
class Client {
  readonly response: IncomingMessage;
  #text = "";

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8").on("data", (chunk: string) => (this.#text += chunk));
    response.on("error", () => {});
  }

  /** Names of the events so far. */
  get names(): string[] {
    return [...this.#text.matchAll(/^event: (.*)$/gm)].flatMap(([, name]) => name ?? []);
  }

  get text(): string {
    return this.#text;
  }

  /** The data of the last event. */
  get last(): Record<string, unknown> {
    return JSON.parse([...this.#text.matchAll(/^data: (.*)$/gm)].at(-1)?.[1] ?? "null") as Record<string, unknown>;
  }
}

async function connect(): Promise<Client> {
  const request = get({ port, host: "127.0.0.1", path: "/live", agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return new Client(response);
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 10_000, interval: 5 }).toBe(true);
}

/** Lets so many milliseconds pass; four ticks are a second. */
function pass(ms: number): void {
  for (let ticks = ms / 250; ticks > 0; ticks--) time.advance();
}

describe("GET /live", () => {
  test("begins with a snapshot, then tells at most four times a second what has changed", async () => {
    live.record(started());
    const client = await connect();
    expect(client.response.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
    });
    await until(() => client.names.length === 1);
    for (let second = 0; second < 2; second++) {
      for (let tick = 0; tick < 4; tick++) {
        for (let each = 1; each <= 25; each++) live.record(step({ step: second * 100 + tick * 25 + each }));
        pass(250);
      }
    }
    await until(() => client.names.length === 9);
    expect(client.names).toEqual(["snapshot", ...Array<string>(8).fill("update")]);
    expect(client.last).toMatchObject({ state: { step: 200, run: "mine" } });
  });

  test("sends a comment now and then while nothing happens, and nothing else", async () => {
    const client = await connect();
    await until(() => client.names.length === 1);
    pass(250);
    await until(() => client.names.length === 2);
    pass(10_000);
    await until(() => client.text.split(": still here\n\n").length === 3);
    expect(client.names).toEqual(["snapshot", "update"]);
  });

  test("does nothing while nobody watches", async () => {
    expect(time.timers).toBe(0);
    const client = await connect();
    expect(time.timers).toBe(1);
    client.response.destroy();
    await until(() => time.timers === 0);
  });

  test("takes sixteen clients, refuses the next one, and takes another once one has gone", async () => {
    const clients = [];
    for (let each = 0; each < 16; each++) clients.push(await connect());
    const refused = await connect();
    expect([refused.response.statusCode, refused.response.headers["retry-after"]]).toEqual([503, "5"]);
    await until(() => refused.text.startsWith("16 pages watch this run already"));
    clients[3]?.response.destroy();
    await expect.poll(async () => (await connect()).response.statusCode, { timeout: 10_000 }).toBe(200);
  });

  test("drops a client that does not read, and keeps the others", async () => {
    live.record(started());
    const slow = await connect();
    slow.response.pause();
    const reader = await connect();
    // Each update has all 50 lines: what the system's buffers hold is full after some hundreds of them.
    const connections = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    for (let told = 0; (await connections()) === 2; told++) {
      if (told > 5_000) expect.fail("the slow client was never dropped");
      live.record({ type: "warning", message: `${told} ${"x".repeat(390)}` });
      pass(250);
    }
    const before = reader.names.length;
    live.record(step());
    pass(250);
    await until(() => reader.names.length > before);
  });

  test("ends with the result, also for those that come after it", async () => {
    live.record(started());
    const client = await connect();
    live.record(finished());
    const ended = once(client.response, "end");
    await live.close();
    await ended;
    expect(client.names).toEqual(["snapshot", "update", "end"]);
    expect(client.last).toMatchObject({ state: { phase: "finished" }, result: { testAccuracy: 0.9896 } });
    const late = await connect();
    await once(late.response, "end");
    expect(late.names).toEqual(["snapshot", "end"]);
    expect(time.timers).toBe(0);
  });

  test("ends with the reason when the run has failed", async () => {
    const client = await connect();
    const ended = once(client.response, "end");
    live.fail(new Error("out of luck"));
    await live.close();
    await ended;
    expect(client.last).toMatchObject({ state: { phase: "failed" }, result: null });
  });

  test("does not let a line of text end an event", async () => {
    live.record({ type: "warning", message: "one\n\nevent: end\ndata: {}\n\n" });
    const client = await connect();
    await until(() => client.names.length === 1);
    expect(client.names).toEqual(["snapshot"]);
  });

  test("answers HEAD with no stream", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/live`, { method: "HEAD" });
    expect([response.status, await response.text(), time.timers]).toEqual([200, "", 0]);
  });
});

test("the page and all that it loads are served, under a policy that allows nothing from elsewhere", async () => {
  const handlers = live.pages;
  const request = {} as IncomingMessage;
  const fileAt = (path: string) => handlers.get(path)?.(request, {} as ServerResponse);
  const page = fileAt("/");
  expect(page?.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
  const loaded = [...(page?.body ?? "").matchAll(/(?:src|href)="(\/live\/[^"]+)"/g)].flatMap(([, path]) => path ?? []);
  expect(loaded).toContain("/live/main.js");
  const seen = new Set<string>();
  for (const path of loaded) {
    if (seen.has(path)) continue;
    seen.add(path);
    const file = fileAt(path);
    expect(file?.contentType, path).toMatch(/^text\/(javascript|css); charset=utf-8$/);
    for (const [, name] of file?.body.matchAll(/^import .* from "\.\/([\w-]+\.js)";$/gm) ?? []) {
      loaded.push(`/live/${name}`);
    }
  }
  expect(seen.size).toBeGreaterThan(10);
  expect(fileAt("/live/protocol.d.ts")).toBeUndefined();
});
