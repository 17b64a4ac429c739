import { formatPlural } from "../../shared/format.ts";
import type { Telling } from "./narrative.ts";

/** Late and repeated results are everyday, and a stranger may send nonsense without end: they are summed up. */
const PAUSE_MS = 1_000;

/** Counts rejected results, to be told at most once a second. */
export class RejectedResults {
  readonly #now: () => number;
  #reasons = new Map<string, number>();
  #toldAtMs = -Infinity;

  /** @param now milliseconds of any one clock that never runs backwards */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(reason: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  /** What is to be told now, if anything is. */
  due(): Telling | undefined {
    if (this.#reasons.size === 0 || this.#now() - this.#toldAtMs < PAUSE_MS) return undefined;
    return this.take();
  }

  /** What has not been told yet, if there is any. */
  take(): Telling | undefined {
    if (this.#reasons.size === 0) return undefined;
    const reasons = Object.fromEntries(this.#reasons);
    const count = [...this.#reasons.values()].reduce((sum, each) => sum + each, 0);
    const parts = [...this.#reasons].map(([reason, times]) => `${times} ${reason}`).join(", ");
    this.#reasons = new Map();
    this.#toldAtMs = this.#now();
    const text = `Rejected ${formatPlural(count, "result")}: ${parts}`;
    return { event: "rejected", text, isNews: false, fields: { count, reasons } };
  }
}
