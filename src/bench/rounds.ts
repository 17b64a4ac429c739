import { setImmediate } from "node:timers/promises";

/** Something to measure, to be compared with others. */
export interface Candidate {
  /** Does one round's work. @returns the round's figure */
  measure(): Promise<number> | number;
}

export interface Rounds {
  readonly rounds: number;
  /** Rounds that come first and do not count: compilers finish, caches fill. */
  readonly warmUps: number;
}

/**
 * Lets the candidates take turns, round after round: a machine whose speed drifts does so for all of them alike.
 * @returns each candidate's figures, one a round
 */
export async function takeTurns(candidates: readonly Candidate[], { rounds, warmUps }: Rounds): Promise<number[][]> {
  const figures = candidates.map((): number[] => []);
  for (let round = -warmUps; round < rounds; round++) {
    for (const [i, candidate] of candidates.entries()) {
      const figure = await candidate.measure();
      if (round >= 0) figures[i]?.push(figure);
      // Work that never waits would keep a Ctrl-C from being seen.
      await setImmediate();
    }
  }
  return figures;
}
