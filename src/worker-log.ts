import { basename } from "node:path";
import type { WorkerConfig } from "./shared/config.ts";
import { failureOf } from "./shared/log/failure.ts";
import { Log } from "./shared/log/log.ts";
import { WORKER_EVENTS, type WorkerEventName } from "./shared/log/vocabulary.ts";
import { TextOutput, type TextStream } from "./shared/text-output.ts";
import type { WorkerEnd, WorkerNews } from "./worker/worker.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Exit codes of an end that was asked for: 0, and those of signals. */
const isAskedFor = (code: number): boolean => code === 0 || code > 128;

/**
 * What `lockstep worker` tells on stderr: sentences for people, or with `--log-format json` a JSON object a line. Never
 * throws, whatever becomes of stderr.
 */
export class WorkerLog {
  readonly #output: TextOutput;
  readonly #quiet: boolean;
  /** Absent for people. */
  readonly #log: Log | undefined;
  /** Remembered when the session is lost: it is still this worker. */
  #run: string | null = null;
  #worker: string | null = null;
  #step: number | null = null;

  constructor({ logFormat, quiet }: Pick<WorkerConfig, "logFormat" | "quiet">, stderr: TextStream) {
    this.#output = new TextOutput(stderr);
    this.#quiet = quiet;
    this.#log = logFormat === "json" ? new Log({ write: (line) => this.#output.write(line) }) : undefined;
  }

  /** @param fields for programs, what the sentence says to people */
  tell(event: WorkerEventName, text: string, fields: Fields = {}): void {
    if (this.#log === undefined) this.#say(text);
    else this.#write(event, text, fields);
  }

  /** What a `Worker` is to be given. */
  readonly listener = {
    say: (text: string): void => {
      if (this.#log === undefined) this.#say(text);
    },
    log: (news: WorkerNews): void => this.#follow(news),
  };

  /** The last line. @param step as the worker knows it */
  ended({ code, text, isRunEnd = false }: WorkerEnd, step: number | undefined): void {
    this.#step = step ?? null;
    if (this.#log !== undefined) this.#write("ended", text, { exitCode: code }, isAskedFor(code) ? "info" : "error");
    else if (!this.#quiet || (code !== 0 && !isRunEnd)) this.#output.line(`lockstep worker: ${text}`);
  }

  /** Of an error that ends this process. */
  crashed(thrown: unknown): void {
    const { msg, fields } = failureOf(thrown);
    this.#write("ended", msg, fields, "error");
  }

  #follow({ event, text, worker, runId, step, ...fields }: WorkerNews): void {
    this.#worker = worker ?? this.#worker;
    this.#run = runId === undefined ? this.#run : basename(runId);
    this.#step = step ?? this.#step;
    if (this.#log !== undefined) this.#write(event, text, fields);
  }

  #say(text: string): void {
    if (!this.#quiet) this.#output.line(`lockstep worker: ${text}`);
  }

  #write(event: WorkerEventName, msg: string, fields: Fields, level = WORKER_EVENTS[event]): void {
    if (this.#quiet && level === "info") return;
    this.#log?.write({ level, run: this.#run, worker: this.#worker, step: this.#step, event, msg, fields });
  }
}
