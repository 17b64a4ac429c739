import { formatCount } from "../shared/format.ts";
import { BackgroundFile } from "./background-file.ts";
import type { Effect, Event } from "./machine/types.ts";
import { eventLine, headLine, type RecordingHead } from "./recording-format.ts";

/** Some two hundred thousand steps of two workers. */
const MAX_CHARACTERS = 256 * 2 ** 20;
/** A run that is killed loses the events of this time. */
const FLUSH_MS = 1_000;

/** Is told all that the coordinator's machine is told, and what it asks for. */
export interface EventLog {
  /** Called once, before anything happens. */
  begin(head: RecordingHead): void;
  /** @param effects undefined where the machine failed */
  record(event: Event, effects: readonly Effect[] | undefined): void;
}

export interface EventRecordingOptions {
  readonly path: string;
  /** Of lockstep itself. */
  readonly version: string;
  /** Told once when the recording ends before the run does. */
  readonly warn: (message: string) => void;
  readonly maxCharacters?: number;
}

/** Records a run's events in a file, for `lockstep replay`. The run never waits for the file. */
export class EventRecording implements EventLog {
  readonly #options: EventRecordingOptions;
  readonly #file: BackgroundFile;
  #characters = 0;
  #flushedAt = -Infinity;
  #isFull = false;

  /**
   * Makes the file, over any that is there.
   * @throws LockstepError `usage` when it cannot be written
   */
  constructor(options: EventRecordingOptions) {
    const { path, warn } = options;
    this.#options = options;
    this.#file = new BackgroundFile({ path, option: "--record-events", what: "the recording", warn });
  }

  begin({ plan, incarnation }: RecordingHead): void {
    this.#file.add(`${headLine({ plan, incarnation }, this.#options.version)}\n`);
  }

  record(event: Event, effects: readonly Effect[] | undefined): void {
    if (this.#isFull || this.#file.hasFailed) return;
    const line = `${eventLine(event, effects)}\n`;
    this.#characters += line.length;
    const { path, warn, maxCharacters = MAX_CHARACTERS } = this.#options;
    if (this.#characters > maxCharacters) {
      this.#isFull = true;
      this.#file.flush();
      const size = `${formatCount(Math.round(maxCharacters / 2 ** 20))} MB`;
      warn(`the recording ${path} is full (${size}); the rest of the run is not recorded`);
      return;
    }
    this.#file.add(line);
    if (event.at - this.#flushedAt < FLUSH_MS) return;
    this.#flushedAt = event.at;
    this.#file.flush();
  }

  /** Writes what is still buffered. */
  close(): Promise<void> {
    return this.#file.close();
  }
}
