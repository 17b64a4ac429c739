import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../shared/clock.ts";
import type { TrainingEvent } from "../../shared/events.ts";
import type { PageFile } from "../../shared/page-file.ts";
import { EventStreams, type StreamEvent } from "./event-streams.ts";
import { LiveRun, type LiveRunOptions, type Mark } from "./live-run.ts";
import { pageFiles } from "./page-files.ts";
import type { End, Snapshot, Update } from "./page/protocol.ts";

/** A page that is made, or undefined where the request is answered already. */
type Handler = (request: IncomingMessage, response: ServerResponse) => PageFile | undefined;

export interface LivePagesOptions extends Pick<LiveRunOptions, "runName" | "workers"> {
  readonly clock: Clock;
  /** Unix time in ms, such as `Date.now`. */
  readonly unixNow: () => number;
}

/** The page at / that shows a run while it goes on, its files below /live/, and the stream of events at /live. */
export class LivePages {
  /** By path, for GET and HEAD. */
  readonly pages: ReadonlyMap<string, Handler>;
  readonly #run: LiveRun;
  readonly #streams: EventStreams;
  #told: Mark;
  #changed = false;
  #drift = "";
  #end: StreamEvent[] = [];

  constructor({ clock, unixNow, runName, workers }: LivePagesOptions) {
    this.#run = new LiveRun({ runName, workers, unixNow, now: () => clock.now() });
    this.#told = this.#run.mark;
    this.#streams = new EventStreams({
      clock,
      first: () => [streamEvent("snapshot", this.#run.snapshot()), ...this.#end],
      next: () => this.#next(),
    });
    const files = [...pageFiles()].map(([path, file]): [string, Handler] => [path, () => file()]);
    this.pages = new Map<string, Handler>([
      ...files,
      [
        "/live",
        (request, response) => {
          this.#streams.open(request, response);
          return undefined;
        },
      ],
    ]);
  }

  record(event: TrainingEvent): void {
    this.#run.record(event);
    this.#changed = true;
  }

  /** Notes what the run failed with, for `close` to tell. */
  fail(thrown: unknown): void {
    this.#run.fail(thrown);
  }

  /**
   * Tells all pages how the run has ended, and ends their streams. To be called before the server is closed; resolves
   * when the pages know, within a second.
   */
  async close(): Promise<void> {
    const news = this.#news();
    this.#end = [streamEvent("end", this.#run.end())];
    await this.#streams.end([...news, ...this.#end]);
  }

  #next(): StreamEvent[] {
    // What no event tells: workers that are about to be ready, and a speed that falls while no step gets done.
    const drift = this.#run.drift();
    if (!this.#changed && drift === this.#drift) return [];
    this.#drift = drift;
    return this.#news();
  }

  /** Since pages were told last: they are told all together, so that one mark is enough. */
  #news(): StreamEvent[] {
    this.#changed = false;
    const update = this.#run.update(this.#told);
    this.#told = this.#run.mark;
    return [update === undefined ? streamEvent("snapshot", this.#run.snapshot()) : streamEvent("update", update)];
  }
}

function streamEvent(...[name, value]: ["snapshot", Snapshot] | ["update", Update] | ["end", End]): StreamEvent {
  return { name, data: JSON.stringify(value) };
}
