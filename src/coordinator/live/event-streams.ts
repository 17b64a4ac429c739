import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../shared/clock.ts";

/** Pages that watch a run at one time; a further one is refused, and tries again. */
const MAX_CLIENTS = 16;
/** Four a second are as many as a person sees. */
const UPDATE_INTERVAL_MS = 250;
/** Ticks between two comments on a stream that says nothing else; proxies cut silent connections after 30 s or more. */
const HEARTBEAT_TICKS = 20;
/** More than this unread, beyond what the system's buffers hold, and a client is too slow to be worth it. */
const MAX_UNREAD_BYTES = 1_048_576;
/** What a page waits before it connects again. */
const RETRY_MS = 1_000;
/** The end waits so long for a client to take it. */
const FAREWELL_MS = 1_000;

/** A server-sent event: its name, and its data as one line. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

export interface EventStreamsOptions {
  readonly clock: Clock;
  /** What a new client is told first. */
  readonly first: () => readonly StreamEvent[];
  /** What has changed since it was asked last, for all clients; nothing if nothing has. */
  readonly next: () => readonly StreamEvent[];
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) for a few clients: at most four
 * times a second all of them are told what is new. One that reads too slowly is dropped, and comes back to a fresh start.
 * While there is no client nothing is done.
 */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #clients = new Set<ServerResponse>();
  #stopTicking: (() => void) | undefined;
  #silentTicks = 0;
  #ended = false;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** Answers a request with the stream, or with 503 when there are too many. */
  open(request: IncomingMessage, response: ServerResponse): void {
    if (this.#clients.size >= MAX_CLIENTS) {
      response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "retry-after": "5" });
      response.end(`${MAX_CLIENTS} pages watch this run already; close one of them\n`);
      return;
    }
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // Proxies such as nginx would hold events back.
      "x-accel-buffering": "no",
    });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    // The server ends connections that are silent for a while, and small packets would wait for each other.
    response.setTimeout(0);
    request.socket.setNoDelay(true);
    response.on("error", () => {});
    response.on("close", () => this.#remove(response));
    response.write(`retry: ${RETRY_MS}\n\n${encoded(this.#options.first())}`);
    if (this.#ended) {
      response.end();
      return;
    }
    this.#clients.add(response);
    this.#stopTicking ??= this.#options.clock.every(UPDATE_INTERVAL_MS, () => this.#tick());
  }

  /**
   * Tells all clients a last thing and ends their streams. Resolves when they have it, or after a second. Later clients
   * get the first events only.
   */
  async end(last: readonly StreamEvent[]): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopTicking?.();
    const clients = [...this.#clients];
    this.#clients.clear();
    if (clients.length === 0) return;
    const text = encoded(last);
    const taken = clients.map((client) => {
      return new Promise<void>((resolve) => {
        client.once("close", resolve);
        client.end(text, () => resolve());
      });
    });
    await Promise.race([Promise.all(taken), delay(FAREWELL_MS, undefined, { ref: false })]);
  }

  #tick(): void {
    try {
      this.#tellNews();
    } catch {
      // A timer's error would end the training. Pages connect again, and are told what can be told then.
      for (const client of this.#clients) client.destroy();
    }
  }

  #tellNews(): void {
    const events = this.#options.next();
    this.#silentTicks = events.length > 0 ? 0 : this.#silentTicks + 1;
    if (events.length > 0) this.#tell(encoded(events));
    else if (this.#silentTicks % HEARTBEAT_TICKS === 0) this.#tell(": still here\n\n");
  }

  #tell(text: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > MAX_UNREAD_BYTES) client.destroy();
      else client.write(text);
    }
  }

  #remove(client: ServerResponse): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }
}

function encoded(events: readonly StreamEvent[]): string {
  return events.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join("");
}
