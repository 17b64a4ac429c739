/** Waits that can all be cut short: what they hold up is over then. */
export class Waits {
  readonly #ends = new Set<() => void>();

  async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#ends.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#ends.add(end);
    });
  }

  /** Ends those that are under way; later ones last as long as they are asked to. */
  endAll(): void {
    for (const end of this.#ends) end();
  }
}
