/** How long a run trained until each epoch, of its `log.ndjson`. Pure: told one line after another. */

import { z } from "zod";

const entry = z.object({
  time: z.string(),
  event: z.string(),
  step: z.int().nullish(),
  epoch: z.int().optional(),
  msg: z.string().optional(),
});

/** What passes between the last line of one start and the first step of the next does not count: the run stood still. */
export class ActiveTime {
  readonly #epochs = new Map<number, number>();
  #earlierMs: number | undefined;
  #startMs: number | undefined;
  #lastMs = 0;
  #failure: string | undefined;
  #lastStart: string | undefined;
  #startBefore: string | undefined;

  /** What is no line of a log is passed over. */
  add(line: string): void {
    const data = parse(line);
    const timeMs = data === undefined ? NaN : Date.parse(data.time);
    if (data === undefined || !Number.isFinite(timeMs)) return;
    const { event, epoch } = data;
    if (event === "run-resumed" || event === "run-started") {
      if (event === "run-resumed") this.#startBefore = this.#lastStart;
      this.#earlierMs = this.#nowMs();
      this.#startMs = event === "run-started" ? timeMs : undefined;
      this.#lastMs = timeMs;
      this.#lastStart = data.time;
      this.#failure = undefined;
    }
    // Before it knows of a step, another process has begun to write here.
    if (typeof data.step === "number") this.#lastMs = timeMs;
    // A start that found nothing left to do: the result is that of the one before.
    if (event === "run-finished" && this.#startMs === undefined) this.#lastStart = this.#startBefore;
    if (event === "run-failed") this.#failure = data.msg ?? "it does not say why";
    if (event === "epoch" && epoch !== undefined && this.#startMs !== undefined) {
      this.#epochs.set(epoch, this.#nowMs() / 1000);
    }
  }

  /** Seconds up to an epoch's end; of one that was done twice, the last time. */
  untilEpoch(epoch: number): number | null {
    return this.#epochs.get(epoch) ?? null;
  }

  /** Seconds up to the last line; null where no start was logged. */
  total(): number | null {
    return this.#earlierMs === undefined ? null : this.#nowMs() / 1000;
  }

  /** What ended the last start, where it failed. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** When the last start began, as the log has it. */
  get lastStart(): string | undefined {
    return this.#lastStart;
  }

  #nowMs(): number {
    const sinceMs = this.#startMs === undefined ? 0 : Math.max(0, this.#lastMs - this.#startMs);
    return (this.#earlierMs ?? 0) + sinceMs;
  }
}

function parse(line: string): z.infer<typeof entry> | undefined {
  try {
    return entry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
