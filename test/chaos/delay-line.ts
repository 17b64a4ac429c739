/** Holds things until their time has come, and passes them on in the order of their times; those of one time as they came. */
export class DelayLine<Thing> {
  readonly #passOn: (thing: Thing) => void;
  readonly #waiting: { readonly thing: Thing; readonly dueAt: number }[] = [];
  #held = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(passOn: (thing: Thing) => void) {
    this.#passOn = passOn;
  }

  /** Things that are waiting. */
  get size(): number {
    return this.#waiting.length;
  }

  /** @param dueAt in the time of `performance.now()`; what is due already is passed on at once, unless the line is held */
  push(thing: Thing, dueAt: number): void {
    const before = this.#waiting.findLastIndex((other) => other.dueAt <= dueAt);
    this.#waiting.splice(before + 1, 0, { thing, dueAt });
    this.#pump();
  }

  /** Passes nothing on until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#pump();
  }

  /** Forgets all that is waiting. */
  clear(): void {
    this.#waiting.length = 0;
    clearTimeout(this.#timer);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    while (!this.#held) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const waitMs = first.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      this.#waiting.shift();
      this.#passOn(first.thing);
    }
  }
}
