/** How a command shows its run: to people as text, or to programs as a log of JSON objects. */

import type { TrainingEvent } from "../shared/events.ts";
import { Log } from "../shared/log/log.ts";
import { TextOutput } from "../shared/text-output.ts";
import { RunLog } from "./log/run-log.ts";
import { Progress, type ProgressOptions } from "./progress.ts";

export interface Display {
  handle(event: TrainingEvent): void;
  /** @returns whether it has been said how the run failed; if not, that is left to the command */
  fail(thrown: unknown): boolean;
  /** @param path of the run's report */
  reported(path: string): void;
  /** Whether stdout has taken everything so far. */
  readonly isWritten: boolean;
  close(): void;
}

export interface DisplayOptions extends ProgressOptions {
  readonly logFormat: "text" | "json";
  /** The run's folder, where it is chosen already. */
  readonly runDir?: string | undefined;
}

export function openDisplay(options: DisplayOptions): Display {
  return options.logFormat === "json" ? new LogDisplay(options) : new Progress(options);
}

/** The log goes to stderr. stdout gets the result alone, and only with `json`. Never throws, whatever becomes of them. */
class LogDisplay implements Display {
  readonly #stdout: TextOutput;
  readonly #json: boolean;
  readonly #log: RunLog;

  constructor({ stdout, stderr, json, ...options }: DisplayOptions) {
    const lines = new TextOutput(stderr);
    this.#stdout = new TextOutput(stdout);
    this.#json = json;
    this.#log = new RunLog({ ...options, log: new Log({ write: (line) => lines.write(line) }) });
  }

  handle(event: TrainingEvent): void {
    this.#log.record(event);
    if (event.type === "finished" && this.#json) this.#stdout.line(JSON.stringify(event.result));
  }

  fail(thrown: unknown): boolean {
    this.#log.fail(thrown);
    return true;
  }

  reported(path: string): void {
    this.#log.reported(path);
  }

  get isWritten(): boolean {
    return !this.#stdout.hasFailed;
  }

  close(): void {}
}
