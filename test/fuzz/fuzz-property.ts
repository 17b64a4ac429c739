/** What must hold in each of as many cases as somebody has time for. */
export interface FuzzProperty {
  readonly name: string;
  /** Its share of all cases. */
  readonly share: number;
  /** @throws Error with the smallest case that was found, its seed and its path, where the property does not hold */
  check(cases: number, seed: number): void;
}
