import type { Clock } from "../../src/shared/clock.ts";

interface Timer {
  readonly clock: FakeClock;
  readonly action: () => void;
  /** Undefined for one that fires once. */
  readonly intervalMs: number | undefined;
  dueAt: number;
}

/**
 * Time that passes only when it is told to, and the timers of all who live in it. Whatever is done between two timers
 * takes no time.
 */
export class FakeTime {
  #now = 0;
  /** In the order in which they were set. */
  readonly #timers = new Set<Timer>();

  /** In ms, from 0. */
  get now(): number {
    return this.#now;
  }

  /** Timers that are set, those of frozen clocks included. */
  get timers(): number {
    return this.#timers.size;
  }

  /**
   * One process's clock.
   * @param zeroMs what it shows at time 0
   */
  clock(zeroMs = 0): FakeClock {
    return new FakeClock(this, this.#timers, zeroMs);
  }

  /**
   * Goes on to the next timer and fires it; of those that are due together, the one that was set first.
   * @returns whether there was one
   */
  advance(): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (!timer.clock.frozen && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    if (next === undefined) return false;
    this.#now = Math.max(this.#now, next.dueAt);
    this.#timers.delete(next);
    if (next.intervalMs !== undefined) {
      // As Node.js does it: from when it was fired, not from when it was due.
      next.dueAt = this.#now + next.intervalMs;
      this.#timers.add(next);
    }
    next.action();
    return true;
  }
}

/** The clock of a process, which can be stopped for a while, as by SIGSTOP, or for good, as by SIGKILL. */
export class FakeClock implements Clock {
  /** While it is set no timer fires; those that became due meanwhile fire one after the other once it is not. */
  frozen = false;
  readonly #time: FakeTime;
  readonly #timers: Set<Timer>;
  readonly #zeroMs: number;

  /** `FakeTime.clock` makes them. */
  constructor(time: FakeTime, timers: Set<Timer>, zeroMs: number) {
    this.#time = time;
    this.#timers = timers;
    this.#zeroMs = zeroMs;
  }

  now(): number {
    return this.#time.now + this.#zeroMs;
  }

  every(intervalMs: number, action: () => void): () => void {
    return this.#set(intervalMs, intervalMs, action);
  }

  /** Calls `action` once, unless the returned function is called before. */
  after(delayMs: number, action: () => void): () => void {
    return this.#set(delayMs, undefined, action);
  }

  /** Waits; for ever, should the clock be stopped meanwhile. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Removes all timers. */
  stop(): void {
    for (const timer of this.#timers) if (timer.clock === this) this.#timers.delete(timer);
  }

  #set(delayMs: number, intervalMs: number | undefined, action: () => void): () => void {
    const timer = { clock: this, action, intervalMs, dueAt: this.#time.now + delayMs };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
}
