import { basename } from "node:path";
import type { RelayConfig } from "../shared/config.ts";
import { failureOf } from "../shared/log/failure.ts";
import { Log } from "../shared/log/log.ts";
import { COORDINATOR_EVENTS, type Level, WORKER_EVENTS } from "../shared/log/vocabulary.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import type { RelayEventName } from "./machine/types.ts";
import type { RelayEnd, RelayNews } from "./relay.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Exit codes of an end that was asked for: 0, and those of signals. */
const isAskedFor = (code: number): boolean => code === 0 || code > 128;

const LEVELS: Readonly<Record<RelayEventName, Level>> = { ...COORDINATOR_EVENTS, ...WORKER_EVENTS };

/**
 * What `lockstep relay` tells on stderr: sentences for people, or with `--log-format json` a JSON object a line. Never
 * throws, whatever becomes of stderr.
 */
export class RelayLog {
  readonly #output: TextOutput;
  readonly #quiet: boolean;
  /** Absent for people. */
  readonly #log: Log | undefined;
  #run: string | null = null;
  #worker: string | null = null;
  #step: number | null = null;

  constructor({ logFormat, quiet }: Pick<RelayConfig, "logFormat" | "quiet">, stderr: TextStream) {
    this.#output = new TextOutput(stderr);
    this.#quiet = quiet;
    this.#log = logFormat === "json" ? new Log({ write: (line) => this.#output.write(line) }) : undefined;
  }

  /** @param fields for programs, what the sentence says to people */
  tell(event: RelayEventName, text: string, fields: Fields = {}): void {
    this.#write(event, text, fields);
  }

  /** What a `Relay` is to be given. */
  readonly follow = ({ event, text, worker, runId, step }: RelayNews): void => {
    // Remembered when the session is lost: it is still this relay.
    if (event === "welcomed") this.#worker = worker ?? this.#worker;
    this.#run = runId === undefined ? this.#run : basename(runId);
    this.#step = step ?? this.#step;
    this.#write(event, text, {}, LEVELS[event], worker);
  };

  /** The last line. @param step as the relay knows it */
  ended({ code, text }: RelayEnd, step: number | undefined): void {
    this.#step = step ?? null;
    this.#write("ended", text, { exitCode: code }, isAskedFor(code) ? "info" : "error");
  }

  /** Of an error that ends this process. */
  crashed(thrown: unknown): void {
    const { msg, fields } = failureOf(thrown);
    this.#write("ended", msg, fields, "error");
  }

  #write(event: RelayEventName, msg: string, fields: Fields, level = LEVELS[event], worker?: string): void {
    if (this.#quiet && level === "info") return;
    if (this.#log === undefined) this.#output.line(`lockstep relay: ${msg}`);
    else
      this.#log.write({ level, run: this.#run, worker: worker ?? this.#worker, step: this.#step, event, msg, fields });
  }
}
