import type { TrainingEvent } from "../events.ts";

/** How often each reason is told at most: whoever knocks can knock a thousand times a second. */
const TELL_EVERY_MS = 10_000;
/** Reasons may name strangers' addresses and keys: what comes on top of so many is told as one. */
const MAX_REASONS = 8;
const OTHER_REASONS = "others came without a key that is known here";

type Refused = Extract<TrainingEvent, { type: "connection-refused" }>;

/** Counts those who were not let in, to be told from time to time. Pure: time is given in ms. */
export class RefusedConnections {
  readonly #reasons = new Map<string, { untold: number; toldAt: number }>();

  /** @param reason a sentence without a subject */
  add(reason: string): void {
    const isNamed = this.#reasons.has(reason) || this.#reasons.size < MAX_REASONS;
    const name = isNamed ? reason : OTHER_REASONS;
    const known = this.#reasons.get(name);
    if (known === undefined) this.#reasons.set(name, { untold: 1, toldAt: Number.NEGATIVE_INFINITY });
    else known.untold += 1;
  }

  /** What is to be told now. */
  due(at: number): readonly Refused[] {
    const told: Refused[] = [];
    for (const [reason, count] of this.#reasons) {
      if (at - count.toldAt < TELL_EVERY_MS) continue;
      if (count.untold === 0) {
        this.#reasons.delete(reason);
        continue;
      }
      told.push({ type: "connection-refused", connections: count.untold, reason });
      [count.untold, count.toldAt] = [0, at];
    }
    return told;
  }
}
