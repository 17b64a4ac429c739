import type { TrainingEvent } from "./shared/events.ts";

/** Events kept for a reader that is slow or has not begun; beyond that the oldest steps are dropped, nothing else. */
const MAX_WAITING = 10_000;

/** Hands events from where they happen to whoever reads them with `for await`, once, in order. */
export class EventStream implements AsyncIterable<TrainingEvent> {
  readonly #waiting: TrainingEvent[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  push(event: TrainingEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_WAITING) {
      const oldestStep = this.#waiting.findIndex(({ type }) => type === "step");
      if (oldestStep >= 0) this.#waiting.splice(oldestStep, 1);
    }
    this.#wake();
  }

  /** Ends the stream, with an error for its reader if there is one. */
  end(failure: { readonly error?: unknown } = {}): void {
    this.#ended ??= failure;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TrainingEvent> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#ended !== undefined) {
        if ("error" in this.#ended) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
