/** The small HTTP server that monitoring talks to: /metrics, /healthz and /status. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { LockstepError, messageOf, systemCode } from "./errors.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 64;

/** What the server tells. */
export interface MonitoringSources {
  /** In the Prometheus text format. */
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
  /** A value for JSON: what the run is doing now. */
  readonly status: () => unknown;
}

interface Page {
  readonly contentType: string;
  readonly body: string;
}

export class MonitoringServer {
  readonly #server: Server;
  readonly #pages: ReadonlyMap<string, () => Page | Promise<Page>>;

  constructor({ metrics, metricsContentType, status }: MonitoringSources) {
    this.#pages = new Map<string, () => Page | Promise<Page>>([
      ["/metrics", async () => ({ contentType: metricsContentType, body: await metrics() })],
      ["/healthz", () => ({ contentType: "text/plain; charset=utf-8", body: "ok\n" })],
      ["/status", () => ({ contentType: "application/json", body: `${JSON.stringify(status())}\n` })],
    ]);
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.setTimeout(REQUEST_TIMEOUT_MS);
    this.#server.maxConnections = MAX_CONNECTIONS;
    // Too many open files fail one scrape, not the training; `listen` reports its own errors.
    this.#server.on("error", () => {});
  }

  /**
   * Starts listening; returns the port, which a `port` of 0 leaves to the system.
   *
   * @param fallbackToFreePort take a free port when `port` is in use
   * @throws LockstepError that names `--metrics-port` or `--metrics-host`
   */
  async listen(host: string, port: number, { fallbackToFreePort = false } = {}): Promise<number> {
    try {
      return await this.#listenOnce(host, port);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EADDRINUSE" && fallbackToFreePort) return this.listen(host, 0);
      throw new LockstepError(code === "EADDRINUSE" ? "failed" : "usage", listenProblem(code, host, port, error), {
        cause: error,
      });
    }
  }

  /** Stops listening and ends every connection; resolves when nothing is left. Safe to call twice or before `listen`. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #listenOnce(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, page: Page, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": page.contentType, "cache-control": "no-store", ...headers });
      response.end(request.method === "HEAD" ? undefined : page.body);
    };
    const plain = (body: string): Page => ({ contentType: "text/plain; charset=utf-8", body: `${body}\n` });

    const page = this.#pages.get(request.url?.split("?", 1)[0] ?? "");
    if (!page) return send(404, plain(`not found; there is ${[...this.#pages.keys()].join(", ")}`));
    if (request.method !== "GET" && request.method !== "HEAD") {
      return send(405, plain("only GET and HEAD are allowed"), { allow: "GET, HEAD" });
    }
    try {
      send(200, await page());
    } catch (error) {
      send(500, plain(messageOf(error)));
    }
  }
}

function listenProblem(code: unknown, host: string, port: number, error: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return `--metrics-port ${port} is in use on ${host}; choose another, or 0 for a free one`;
    case "EACCES":
      return `--metrics-port ${port} needs privileges that this process lacks; choose one above 1023, or 0 for a free one`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `--metrics-host ${host} is no address of this machine; try 127.0.0.1, or 0.0.0.0 for all of its addresses`;
    default:
      return `cannot listen on --metrics-host ${host} and --metrics-port ${port}: ${messageOf(error)}`;
  }
}
