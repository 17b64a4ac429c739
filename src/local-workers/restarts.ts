/** When a worker that has died is started again, and when it is given up. Pure: time and progress come from outside. */

/** Deaths in one worker's place that it is given without the run getting on in between; one more, and it is given up. */
const DEATHS_IN_VAIN = 5;
/** Whoever kills workers may stop doing so, which no worker that fails by itself does: that long is waited for it. */
const KILLED_IN_VAIN_MS = 60_000;
/** The first restart is quick. The pause doubles for each other death within the window: a worker that flaps waits. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const WINDOW_MS = 30_000;
/** While no other worker is alive nothing gets done: no pause is longer then. */
export const PAUSE_ALONE_MS = 250;
/** So many deaths within the window are a worker that flaps. */
const FLAPPING = 4;
/** More of them would not make the pause longer. */
const MOST_REMEMBERED = 8;

/** What is remembered about the deaths in one worker's place; every death makes a new object. */
export interface Deaths {
  /** Deaths in a row without any progress of the run between them. */
  readonly inVain: number;
  /** When the first of those was, in ms. */
  readonly inVainSince: number;
  /** Whether the last one was somebody else's doing. */
  readonly killed: boolean;
  /** How far the run was at the last of them. */
  readonly progress: number;
  /** When the last ones were, in ms: those within the window before the last. */
  readonly recentAt: readonly number[];
}

export const NO_DEATHS: Deaths = { inVain: 0, inVainSince: 0, killed: false, progress: 0, recentAt: [] };

/** @param progress any number that is another one once the run has got on */
export function afterDeath(deaths: Deaths, atMs: number, progress: number, killed: boolean): Deaths {
  const recentAt = [...deaths.recentAt.filter((each) => atMs - each <= WINDOW_MS), atMs].slice(-MOST_REMEMBERED);
  const again = deaths.inVain > 0 && progress === deaths.progress;
  return {
    inVain: again ? deaths.inVain + 1 : 1,
    inVainSince: again ? deaths.inVainSince : atMs,
    ...{ killed, progress, recentAt },
  };
}

/** Whether starting it again has been in vain too often. */
export function isHopeless({ inVain, inVainSince, killed, recentAt }: Deaths): boolean {
  const forMs = (recentAt.at(-1) ?? 0) - inVainSince;
  return inVain > DEATHS_IN_VAIN && (!killed || forMs > KILLED_IN_VAIN_MS);
}

/**
 * How long to wait, after the last of these deaths, before the worker is started again, in ms.
 * @param alone no other worker is alive
 */
export function pauseMs({ recentAt }: Deaths, alone: boolean): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (recentAt.length - 1), LONGEST_PAUSE_MS);
  return alone ? Math.min(pause, PAUSE_ALONE_MS) : pause;
}

/** Whether it has died so often lately that its words would only repeat themselves. */
export function isFlapping({ recentAt }: Deaths): boolean {
  return recentAt.length >= FLAPPING;
}

/** Whether the last death is so long ago that the next one counts as the first. */
export function isCalm({ recentAt }: Deaths, nowMs: number): boolean {
  const last = recentAt.at(-1);
  return last === undefined || nowMs - last > WINDOW_MS;
}
