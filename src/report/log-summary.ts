/** What `log.ndjson` tells of what befell a run, all its starts together. Pure: told one line after another. */

import { z } from "zod";

export interface LogEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly event: string;
  readonly worker: string | null;
  readonly step: number | null;
  readonly msg: string;
}

/** What people may want to read about: what went wrong, and how the run went on. */
const NOTEWORTHY: ReadonlySet<string> = new Set([
  ...["run-resumed", "run-failed", "worker-lost", "worker-late", "checkpoint-failed", "waiting", "warning"],
  "end-evaluated",
]);

/** The newest entries that are kept, and how much of each message. */
const MAX_ENTRIES = 40;
const MAX_MESSAGE_CHARACTERS = 500;

const entry = z.object({
  time: z.union([z.string(), z.number()]),
  event: z.string(),
  worker: z.string().nullish(),
  step: z.number().nullish(),
  msg: z.string(),
});

/** What a run counted of the weights with which it ended amid an epoch. */
export interface EndEvaluation {
  readonly testAccuracy: number;
  readonly testErrors: number;
  readonly validationAccuracy: number | null;
  readonly validationErrors: number | null;
}

const endEvaluation = z.object({
  event: z.literal("end-evaluated"),
  step: z.int(),
  testAccuracy: z.number(),
  testErrors: z.int(),
  validationAccuracy: z.number().nullable(),
  validationErrors: z.int().nullable(),
});

export class LogSummary {
  readonly #counts = new Map<string, number>();
  readonly #entries: LogEntry[] = [];
  #noteworthy = 0;
  #end: z.infer<typeof endEvaluation> | undefined;

  /** What is no line of a log is passed over: nothing but this table depends on it. */
  add(line: string): void {
    let found: unknown;
    try {
      found = JSON.parse(line);
    } catch {
      return;
    }
    const { data } = entry.safeParse(found);
    if (data === undefined) return;
    const { time, event, worker, step, msg } = data;
    this.#end = endEvaluation.safeParse(found).data ?? this.#end;
    this.#counts.set(event, (this.#counts.get(event) ?? 0) + 1);
    if (!NOTEWORTHY.has(event)) return;
    this.#noteworthy += 1;
    const shown = msg.length > MAX_MESSAGE_CHARACTERS ? `${msg.slice(0, MAX_MESSAGE_CHARACTERS)}…` : msg;
    this.#entries.push({ time: String(time), event, worker: worker ?? null, step: step ?? null, msg: shown });
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
  }

  count(event: string): number {
    return this.#counts.get(event) ?? 0;
  }

  /** Of the weights after so many steps; undefined where the run did not end there amid an epoch, its time being up. */
  endEvaluation(step: number): EndEvaluation | undefined {
    return this.#end?.step === step ? this.#end : undefined;
  }

  /** In the order in which they were written. */
  entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** Entries that were not kept. */
  get earlier(): number {
    return this.#noteworthy - this.#entries.length;
  }
}
