import { setImmediate } from "node:timers/promises";
import type { Clock } from "../shared/clock.ts";
import type { Spent } from "../shared/protocol/messages.ts";

/** How long a worker may compute without looking at its messages; each look costs the event loop's round. */
const LOOK_UP_MS = 5;

/** Where a worker's time goes: told with each result. All times in ms by the worker's own clock. */
export class TaskClock {
  readonly #clock: Clock;
  #idleSince: number;
  #beganAt = 0;
  #lookedUpAt = 0;
  #waitMs = 0;
  #gatherMs = 0;
  /** That part of it which was done while the task was running. */
  #gatherWithinMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#idleSince = clock.now();
  }

  /** Measures the making of inputs for the next task, before it begins. */
  gatherAhead(gather: () => void): void {
    this.#gatherMs += this.#measure(gather);
  }

  begin(): void {
    this.#beganAt = this.#clock.now();
    this.#lookedUpAt = this.#beganAt;
    this.#waitMs = Math.max(0, this.#beganAt - this.#idleSince - this.#gatherMs);
    this.#gatherWithinMs = 0;
  }

  /** The same for the task under way. */
  gather(gather: () => void): void {
    const ms = this.#measure(gather);
    this.#gatherMs += ms;
    this.#gatherWithinMs += ms;
  }

  end(): void {
    this.#idleSince = this.#clock.now();
    this.#gatherMs = 0;
  }

  /** Between two shards: lets messages that have come be looked at, unless that was done a moment ago. */
  async lookUp(): Promise<void> {
    if (this.#clock.now() - this.#lookedUpAt < LOOK_UP_MS) return;
    await setImmediate();
    this.#lookedUpAt = this.#clock.now();
  }

  /** The task so far, in whole microseconds. */
  spent(): Spent {
    const heldMs = this.#clock.now() - this.#beganAt;
    return {
      wait: micros(this.#waitMs),
      gather: micros(this.#gatherMs),
      compute: micros(heldMs - this.#gatherWithinMs),
      held: micros(heldMs),
    };
  }

  #measure(action: () => void): number {
    const startedAt = this.#clock.now();
    action();
    return this.#clock.now() - startedAt;
  }
}

/** What a message has room for. */
const LONGEST = 2 ** 32 - 1;

function micros(ms: number): number {
  return Math.min(LONGEST, Math.max(0, Math.round(ms * 1000)));
}
