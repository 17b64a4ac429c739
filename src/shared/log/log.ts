/** A log of one JSON object a line. The only file that imports pino. */

import { type Logger, pino } from "pino";
import type { CoordinatorEventName, Level, WorkerEventName } from "./vocabulary.ts";

/** One line. */
export interface LogLine {
  readonly level: Level;
  /** The name of the run's folder; null while it is not known. */
  readonly run: string | null;
  /** Whom the line is about, such as "worker-3"; null where it is about nobody, or nobody knows the name yet. */
  readonly worker: string | null;
  /** Steps done so far; null before that is known. */
  readonly step: number | null;
  readonly event: CoordinatorEventName | WorkerEventName;
  /** A sentence for people. */
  readonly msg: string;
  /** Whatever else belongs to the event. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

export interface LogOptions {
  /**
   * Takes each line whole, with its line end. It is called before `write` returns: what has been written by then is not
   * lost when the process ends.
   */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** JSON escapes the control characters below U+0020 only: these are others that some readers end a line at, or obey. */
const UNESCAPED = /[\u007f-\u009f\u2028\u2029]/g;

export class Log {
  readonly #logger: Logger;

  constructor({ write, now = () => new Date() }: LogOptions) {
    this.#logger = pino(
      {
        level: "debug",
        base: null,
        formatters: { level: (label) => ({ level: label }) },
        timestamp: () => `,"time":"${now().toISOString()}"`,
      },
      { write: (line: string) => write(line.replaceAll(UNESCAPED, escapeSequence)) },
    );
  }

  write({ level, run, worker, step, event, msg, fields }: LogLine): void {
    // Never as pino's second argument, which is a format.
    this.#logger[level]({ run, worker, step, event, msg, ...fields });
  }
}

function escapeSequence(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
