import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Launch, LocalExit, LocalWorker } from "./local-worker.ts";

/** Workers on this machine: started, watched, started again when they die, and ended. */

/** How often one worker is started again before it is given up, and the pause before that, doubled each time. */
const MAX_RESTARTS = 3;
/** A worker that lived this long before it died has its restarts back. */
const LONG_LIFE_MS = 5 * 60_000;
const RESTART_PAUSE_MS = 250;
/** How long a worker may take to leave by itself, and then to end when it is told to, before it is killed. */
const LEAVE_MS = 500;
const END_MS = 3_000;

export interface LocalWorkersOptions {
  readonly count: number;
  readonly launch: Launch;
  /** Fewer than `needed` are left, and none will be started again. */
  readonly needed: number;
  readonly onTooFew: (message: string) => void;
  readonly onWarning: (message: string) => void;
}

interface Slot {
  worker: LocalWorker | undefined;
  /** Settles when the worker has ended. */
  ended: Promise<unknown>;
  restarts: number;
  timer: NodeJS.Timeout | undefined;
}

export class LocalWorkers {
  readonly #options: LocalWorkersOptions;
  readonly #slots: Slot[];
  #closing = false;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, () => ({
      ...{ worker: undefined, ended: Promise.resolve(), restarts: 0, timer: undefined },
    }));
    for (const slot of this.#slots) this.#start(slot);
  }

  /** Waits until all have left, as they do at the end of a run; those that had not joined yet are ended. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { timer } of this.#slots) clearTimeout(timer);
    await Promise.all(
      this.#slots.map(async ({ worker, ended }) => {
        const timers = [setTimeout(() => worker?.end(), LEAVE_MS), setTimeout(() => worker?.kill(), LEAVE_MS + END_MS)];
        await ended;
        for (const timer of timers) clearTimeout(timer);
      }),
    );
  }

  #start(slot: Slot): void {
    const startedAt = performance.now();
    const worker = this.#options.launch();
    slot.worker = worker;
    let lastWords = "";
    const lines = createInterface({ input: worker.stderr });
    lines.on("line", (line) => {
      lastWords = line;
      if (!this.#closing) this.#options.onWarning(`${worker.name}: ${line}`);
    });
    const allSaid = once(lines, "close");
    slot.ended = new Promise<void>((resolve) => {
      worker.onExit((exit) => {
        resolve();
        if (performance.now() - startedAt > LONG_LIFE_MS) slot.restarts = 0;
        void allSaid.then(() => this.#exited(slot, exit, lastWords));
      });
    });
  }

  #exited(slot: Slot, { reason, code }: LocalExit, lastWords: string): void {
    slot.worker = undefined;
    if (this.#closing) return;
    // Bad usage and refused data would be the same next time.
    const mayRestart = code !== 2 && code !== 4;
    if (mayRestart && slot.restarts < MAX_RESTARTS) {
      slot.timer = setTimeout(
        () => {
          slot.timer = undefined;
          this.#start(slot);
        },
        RESTART_PAUSE_MS * 2 ** slot.restarts,
      );
      slot.restarts += 1;
      return;
    }
    const left = this.#slots.filter(({ worker, timer }) => worker !== undefined || timer !== undefined).length;
    if (left >= this.#options.needed) return;
    const said = lastWords === "" ? "" : ` (${lastWords})`;
    const which = left === 0 ? `all ${this.#slots.length} workers` : `${this.#slots.length - left} of the workers`;
    this.#options.onTooFew(`${which} have ended, again and again; the last one: ${reason}${said}`);
  }
}
