/** A small HTTP server of a few fixed pages, with limits on what a client may take of it. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { LockstepError, messageOf, systemCode } from "./errors.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
/** How often connections are looked at that take too long over a request: a slow one is gone after 12 s at most. */
const CHECKING_INTERVAL_MS = 2_000;
const MAX_CONNECTIONS = 64;
/** What Prometheus and browsers send is a tenth of this. */
const MAX_HEADER_BYTES = 8_192;

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

export interface PageServerOptions {
  /** By path, such as "/": nothing else is ever answered. */
  readonly pages: ReadonlyMap<string, Handler>;
  /** The options that decide where it listens, as errors name them. */
  readonly portOption: string;
  readonly hostOption: string;
  /** The answer to a request that is not let in; undefined lets it in. Asked before anything is said about paths. */
  readonly refusal?: (path: string, request: IncomingMessage) => Page | undefined;
}

/** The names by which programs on this machine call it. */
const OWN_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

export class PageServer {
  readonly #server: Server;
  readonly #options: PageServerOptions;
  #isLoopback = false;

  constructor(options: PageServerOptions) {
    this.#options = options;
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
    // Too many open files fail one request, not the program; `listen` reports its own errors.
    this.#server.on("error", () => {});
  }

  /**
   * Starts listening; returns the port, which a `port` of 0 leaves to the system.
   *
   * @param fallbackToFreePort take a free port when the one that is wanted is in use
   * @throws LockstepError that names the option of the port or of the host
   */
  async listen(host: string, port: number, fallbackToFreePort = false): Promise<number> {
    try {
      return await this.#listenOnce(host, port);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EADDRINUSE" && fallbackToFreePort) return this.listen(host, 0);
      throw new LockstepError(
        code === "EADDRINUSE" ? "failed" : "usage",
        listenProblem(this.#options, host, port, error),
        { cause: error },
      );
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
    const { pages, refusal } = this.#options;
    const send = ({ contentType, body, status = 200, headers = {} }: Page): void => {
      response.writeHead(status, { "content-type": contentType, "cache-control": "no-store", ...headers });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    // Any web page can have a name of its own point to this machine, and would be let read by the browser then.
    const { host = "localhost" } = request.headers;
    if (this.#isLoopback && !OWN_NAME.test(host)) return send(plain("ask by this machine's own name: localhost", 403));
    const path = request.url?.split("?", 1)[0] ?? "";
    const refused = refusal?.(path, request);
    if (refused !== undefined) return send(refused);
    const handler = pages.get(path);
    if (!handler) return send(plain(`not found; there is ${[...pages.keys()].join(", ")}`, 404));
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

/** A line of text. */
export function plain(line: string, status = 200): Page {
  return { contentType: "text/plain; charset=utf-8", body: `${line}\n`, status };
}

/** Where a server answers: IPv6 addresses stand in brackets. */
export function httpUrl(host: string, port: number, path: string): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}

function listenProblem(
  { portOption, hostOption }: PageServerOptions,
  host: string,
  port: number,
  error: unknown,
): string {
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return `${portOption} ${port} is in use on ${host}; choose another, or 0 for a free one`;
    case "EACCES":
      return `${portOption} ${port} needs privileges that this process lacks; choose one above 1023, or 0 for a free one`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${hostOption} ${host} is no address of this machine; try 127.0.0.1, or 0.0.0.0 for all of its addresses`;
    default:
      return `cannot listen on ${hostOption} ${host} and ${portOption} ${port}: ${messageOf(error)}`;
  }
}
