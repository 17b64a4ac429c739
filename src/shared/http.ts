/** The small HTTP server that monitoring talks to: /metrics, /healthz, /readyz, /status, and what else it is given. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AccessToken } from "./access-token.ts";
import { LockstepError, messageOf, systemCode } from "./errors.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
/** How often connections are looked at that take too long over a request: a slow one is gone after 12 s at most. */
const CHECKING_INTERVAL_MS = 2_000;
const MAX_CONNECTIONS = 64;
/** What Prometheus and browsers send is a tenth of this. */
const MAX_HEADER_BYTES = 8_192;

const PLAIN = "text/plain; charset=utf-8";

/** What is answered, to GET and, without the body, to HEAD. */
export interface Page {
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** 200 if not given. */
  readonly status?: number;
  /** Besides those of its type and `cache-control: no-store`, which may be replaced. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/**
 * Makes a page, or answers by itself and returns undefined: now, later, or with a stream that `close` will end. Only GET
 * and HEAD come here. A connection on which nothing is written for 10 seconds is ended by the server, unless the handler
 * lifts that with `response.setTimeout(0)`; and all connections together are few, so a handler of streams limits them.
 */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
) => Page | undefined | Promise<Page | undefined>;

/** What the server tells. */
export interface MonitoringSources {
  /** In the Prometheus text format. */
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
  /** A value for JSON: what is going on now. */
  readonly status: () => unknown;
  /** A sentence: why it cannot do its work yet, or no more; undefined when it can. */
  readonly unready: () => string | undefined;
  /** Further pages by their path, such as "/". */
  readonly pages?: ReadonlyMap<string, Handler>;
}

export interface ListenOptions {
  /** Take a free port when the one that is wanted is in use. */
  readonly fallbackToFreePort?: boolean;
  /** What a request has to show, unless it asks for /healthz or /readyz; without it everything is open. */
  readonly token?: AccessToken | undefined;
}

/** What a supervisor asks for, which has no secrets: a word, or a sentence. */
const OPEN_PATHS: readonly string[] = ["/healthz", "/readyz"];

/** A browser asks for a name and a password then, and shows them with all that the page asks for. */
const CHALLENGES = ['Bearer realm="lockstep"', 'Basic realm="lockstep: any name, and the token as password"'];

/** The names by which programs on this machine call it. */
const OWN_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

export class MonitoringServer {
  readonly #server: Server;
  #isLoopback = false;
  readonly #pages: ReadonlyMap<string, Handler>;
  #token: AccessToken | undefined;

  constructor({ metrics, metricsContentType, status, unready, pages }: MonitoringSources) {
    const read = shared(metrics);
    this.#pages = new Map<string, Handler>([
      ["/metrics", async () => ({ contentType: metricsContentType, body: await read() })],
      // That this is answered at all says that the process lives and that its event loop turns.
      ["/healthz", () => plain("ok")],
      ["/readyz", () => readiness(unready())],
      ["/status", () => ({ contentType: "application/json", body: `${JSON.stringify(status())}\n` })],
      ...(pages ?? []),
    ]);
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        connectionsCheckingInterval: CHECKING_INTERVAL_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
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
   * @throws LockstepError that names `--metrics-port` or `--metrics-host`
   */
  async listen(host: string, port: number, options: ListenOptions = {}): Promise<number> {
    const { fallbackToFreePort = false, token } = options;
    this.#token = token;
    try {
      return await this.#listenOnce(host, port);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EADDRINUSE" && fallbackToFreePort) return this.listen(host, 0, { token });
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
    if (typeof address !== "object" || address === null) return port;
    this.#isLoopback = /^(127\.|::1$)/.test(address.address);
    return address.port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = ({ contentType, body, status = 200, headers = {} }: Page): void => {
      response.writeHead(status, { "content-type": contentType, "cache-control": "no-store", ...headers });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    // Any web page can have a name of its own point to this machine, and would be let read by the browser then.
    const { host = "localhost" } = request.headers;
    if (this.#isLoopback && !OWN_NAME.test(host)) return send(plain("ask by this machine's own name: localhost", 403));
    const path = request.url?.split("?", 1)[0] ?? "";
    if (!OPEN_PATHS.includes(path) && this.#token?.accepts(request.headers.authorization) === false) {
      return send({
        ...plain("show the token: see --metrics-token-file", 401),
        headers: { "www-authenticate": CHALLENGES },
      });
    }
    const handler = this.#pages.get(path);
    if (!handler) return send(plain(`not found; there is ${[...this.#pages.keys()].join(", ")}`, 404));
    if (request.method !== "GET" && request.method !== "HEAD") {
      return send({ ...plain("only GET and HEAD are allowed", 405), headers: { allow: "GET, HEAD" } });
    }
    try {
      const page = await handler(request, response);
      if (page !== undefined) send(page);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else send(plain(messageOf(error), 500));
    }
  }
}

/** Many may ask at the same time, and the answer takes time that a run could use: one is made for all of them. */
function shared(make: () => Promise<string>): () => Promise<string> {
  let pending: Promise<string> | undefined;
  return () =>
    (pending ??= make().finally(() => {
      pending = undefined;
    }));
}

/** A line of text. */
function plain(line: string, status = 200): Page {
  return { contentType: PLAIN, body: `${line}\n`, status };
}

function readiness(problem: string | undefined): Page {
  return problem === undefined ? plain("ready") : plain(problem, 503);
}

/** Where a server answers: IPv6 addresses stand in brackets. */
export function httpUrl(host: string, port: number, path: string): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
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
