/** The small HTTP server that monitoring talks to: /metrics, /healthz, /readyz, /status, and what else it is given. */

import type { IncomingMessage } from "node:http";
import type { AccessToken } from "./access-token.ts";
import { type Handler, type Page, PageServer, plain } from "./page-server.ts";

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

export class MonitoringServer {
  readonly #server: PageServer;
  #token: AccessToken | undefined;

  constructor({ metrics, metricsContentType, status, unready, pages }: MonitoringSources) {
    const read = shared(metrics);
    this.#server = new PageServer({
      pages: new Map<string, Handler>([
        ["/metrics", async () => ({ contentType: metricsContentType, body: await read() })],
        // That this is answered at all says that the process lives and that its event loop turns.
        ["/healthz", () => plain("ok")],
        ["/readyz", () => readiness(unready())],
        ["/status", () => ({ contentType: "application/json", body: `${JSON.stringify(status())}\n` })],
        ...(pages ?? []),
      ]),
      portOption: "--metrics-port",
      hostOption: "--metrics-host",
      refusal: (path, request) => this.#refusal(path, request),
    });
  }

  /**
   * Starts listening; returns the port, which a `port` of 0 leaves to the system.
   *
   * @throws LockstepError that names `--metrics-port` or `--metrics-host`
   */
  async listen(host: string, port: number, options: ListenOptions = {}): Promise<number> {
    const { fallbackToFreePort = false, token } = options;
    this.#token = token;
    return this.#server.listen(host, port, fallbackToFreePort);
  }

  /** Stops listening and ends every connection; resolves when nothing is left. Safe to call twice or before `listen`. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  #refusal(path: string, request: IncomingMessage): Page | undefined {
    if (OPEN_PATHS.includes(path) || this.#token?.accepts(request.headers.authorization) !== false) return undefined;
    return { ...plain("show the token: see --metrics-token-file", 401), headers: { "www-authenticate": CHALLENGES } };
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

function readiness(problem: string | undefined): Page {
  return problem === undefined ? plain("ready") : plain(problem, 503);
}
