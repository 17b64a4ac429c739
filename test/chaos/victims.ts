import type { Draws } from "./draws.ts";

/** What was done to whom, as a phrase; undefined when there was nobody to do it to. */
export type Deed = string | undefined;

/** The workers of a run, as those who disturb them see them. Each settles once the fault is over. */
export interface Victims {
  /** One of them dies without a word. */
  kill(draws: Draws): Promise<Deed>;
  /** All of them do, at one time. */
  killAll?(draws: Draws): Promise<Deed>;
  /** One of them fails by an exception that nobody catches. */
  fail?(draws: Draws): Promise<Deed>;
  /** One of them is asked to end, and should leave in good order. */
  drain?(draws: Draws): Promise<Deed>;
  /** One of them stops in the middle of whatever it does, and goes on later as if nothing had happened. */
  freeze(draws: Draws): Promise<Deed>;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** For how long a worker is stopped: long enough to be late, to be given up, or to have its connection lost. */
export const freezeMs = (draws: Draws): number => draws.pick([draws.between(200, 1_500), draws.between(200, 12_000)]);

/** From the end of a worker to the start of the one in its place. */
export const replacementPauseMs = (draws: Draws): number => draws.between(0, 3_000);
