import { messageOf } from "../shared/errors.ts";
import type { TrainingEvent } from "../shared/events.ts";

/** Somebody who follows a run. */
export interface Observer {
  record(event: TrainingEvent): void;
}

/**
 * Those who follow a run: its metrics, its files, its page. They are not the training: one that fails is told no more,
 * and the others and the run go on.
 */
export class Observers {
  readonly #observers = new Map<string, Observer>();
  readonly #onFailed: (message: string) => void;

  /** @param onFailed gets a sentence about an observer that has failed; it may tell an event */
  constructor(onFailed: (message: string) => void) {
    this.#onFailed = onFailed;
  }

  /** @param name for people: "the live page" */
  add(name: string, observer: Observer): void {
    this.#observers.set(name, observer);
  }

  tell(event: TrainingEvent): void {
    for (const [name, observer] of [...this.#observers]) {
      try {
        observer.record(event);
      } catch (thrown) {
        this.#observers.delete(name);
        this.#onFailed(failure(name, thrown));
      }
    }
  }

  /** Does each of these, whatever becomes of the others. */
  async close(closings: readonly (readonly [name: string, close: () => unknown])[]): Promise<void> {
    for (const [name, close] of closings) {
      try {
        await close();
      } catch (thrown) {
        this.#onFailed(failure(name, thrown));
      }
    }
  }
}

function failure(name: string, thrown: unknown): string {
  return `${name} failed, and does without the rest of this run: ${messageOf(thrown)}; please report this`;
}
