import { once } from "node:events";
import { createInterface } from "node:readline";
import { messageOf } from "../shared/errors.ts";
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
/** Lines that Node.js prints around an error that ends a process: its stack, its fields, a version. */
const NOT_A_SENTENCE = /^(\s|[-^}]|Node\.js v|$)/;

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
    let worker: LocalWorker;
    try {
      worker = this.#options.launch();
    } catch (thrown) {
      this.#exited(slot, { reason: `could not be started: ${messageOf(thrown)}`, code: undefined }, "");
      return;
    }
    slot.worker = worker;
    this.#watch(slot, worker);
  }

  #watch(slot: Slot, worker: LocalWorker): void {
    const startedAt = performance.now();
    let lastWords = "";
    const lines = createInterface({ input: worker.stderr });
    lines.on("line", (line) => {
      if (!NOT_A_SENTENCE.test(line)) lastWords = line;
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

  #exited(slot: Slot, { reason, code, stack }: LocalExit, lastWords: string): void {
    const name = slot.worker?.name;
    slot.worker = undefined;
    if (this.#closing) return;
    if (stack !== undefined) this.#options.onWarning(`${name}: ${stack}`);
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
    const said = lastWords === "" ? "" : ` (${lastWords})`;
    const which = lost(this.#slots.length - left, this.#slots.length);
    const often = mayRestart ? ", again and again" : "";
    const message = `${which} ended${often}; the last time: ${reason}${said}`;
    if (left >= this.#options.needed) this.#options.onWarning(message);
    else this.#options.onTooFew(message);
  }
}

function lost(count: number, all: number): string {
  if (all === 1) return "the only worker has";
  return count === all ? `all ${all} workers have` : `${count} of ${all} workers ${count === 1 ? "has" : "have"}`;
}
