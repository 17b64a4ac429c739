import type { TrainingEvent } from "../../shared/events.ts";

/**
 * Lines about workers' comings and goings, which whoever can join can cause as often as they like: a log must neither
 * grow without end nor be full when something else happens. Pure: time is given in ms.
 */

/** A thousand workers that come and go, each with a reason; then 17 MB a day at most. */
const MOST_CHARACTERS = 1_000_000;
const CHARACTERS_PER_SECOND = 200;

const LIMITED: readonly TrainingEvent["type"][] = [
  "worker-joined",
  "worker-left",
  "worker-late",
  "warning",
  "connection-refused",
];

/** Once it is used up there is silence until so much is there again: eight minutes. */
const REOPENED_AT = 100_000;

/** What stands in place of the first event that is left out. */
export const LEFT_OUT: TrainingEvent = {
  type: "warning",
  message: "workers come and go too often to tell of each: for some minutes no more of this is told, only counted",
};

/** Says what is to be written. */
export class LineBudget {
  #left = MOST_CHARACTERS;
  #filledAt = -Infinity;
  #isUsedUp = false;

  /** @returns "told" for what does not depend on others, and else while there is room; "last" once when there is no more */
  take(event: TrainingEvent, at: number): "told" | "last" | "untold" {
    if (!LIMITED.includes(event.type)) return "told";
    const characters = sizeOf(event);
    const filled = this.#left + ((at - this.#filledAt) / 1000) * CHARACTERS_PER_SECOND;
    this.#left = Math.min(filled, MOST_CHARACTERS);
    this.#filledAt = at;
    if (this.#isUsedUp && this.#left < REOPENED_AT) return "untold";
    this.#isUsedUp = this.#left < characters;
    if (this.#isUsedUp) return "last";
    this.#left -= characters;
    return "told";
  }
}

/** Roughly what a line of a log takes, with the fields that it has for programs. */
function sizeOf(event: TrainingEvent): number {
  return 200 + JSON.stringify(event).length;
}
