import type { Recognition } from "./network.ts";

/** A browser's clock is coarse on purpose: a mean over so many times tells more than one of them. */
const KEPT = 30;

/** How long the network takes, on average of the last times. Pure. */
export class Timing {
  readonly #preparations: number[] = [];
  readonly #computations: number[] = [];

  /** @returns the sentence about it */
  add({ preparationMs, computationMs }: Pick<Recognition, "preparationMs" | "computationMs">): string {
    const computation = mean(this.#computations, computationMs).toFixed(2);
    if (preparationMs === undefined) return `Computed in ${computation} ms`;
    return `Prepared in ${mean(this.#preparations, preparationMs).toFixed(1)} ms, computed in ${computation} ms`;
  }
}

function mean(kept: number[], value: number): number {
  kept.push(value);
  if (kept.length > KEPT) kept.shift();
  return kept.reduce((sum, each) => sum + each, 0) / kept.length;
}
