import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Clock } from "../shared/clock.ts";
import { messageOf } from "../shared/errors.ts";
import type { Launch, LocalExit, LocalWorker } from "./local-worker.ts";
import {
  afterDeath,
  type Deaths,
  isCalm,
  isFlapping,
  isHopeless,
  NO_DEATHS,
  PAUSE_ALONE_MS,
  pauseMs,
} from "./restarts.ts";

/** Workers on this machine: started, watched, started again when they die, and ended. */

/** How long a worker may take to leave by itself, and then to end when it is told to, before it is killed. */
const LEAVE_MS = 500;
const END_MS = 3_000;
/** Lines that Node.js prints around an error that ends a process: its stack, its fields, a version. */
const NOT_A_SENTENCE = /^(\s|[-^}]|Node\.js v|$)/;

export interface LocalWorkersOptions {
  readonly count: number;
  readonly launch: Launch;
  /** The run is over: whoever leaves now is told to, and not missed. The last checkpoint may still be being written. */
  readonly isOver: () => boolean;
  readonly clock: Pick<Clock, "now">;
  /** Fewer than `needed` are left, and none will be started again; with the last one's exit code. */
  readonly needed: number;
  readonly onTooFew: (message: string, code: number | undefined) => void;
  /** @param pid of the process that has said it */
  readonly onWarning: (message: string, pid?: number) => void;
}

/** One worker's place: whoever is started again takes the place of the one that died. */
interface Slot {
  readonly place: number;
  worker: LocalWorker | undefined;
  /** Settles when the worker has ended. */
  ended: Promise<unknown>;
  deaths: Deaths;
  /** What is written here is not passed on: it has been heard before. */
  muted: boolean;
  /** The start of the next worker. */
  next: { readonly timer: NodeJS.Timeout; readonly dueMs: number } | undefined;
}

export class LocalWorkers {
  readonly #options: LocalWorkersOptions;
  readonly #slots: Slot[];
  #progress = 0;
  #closing = false;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, place) => ({
      place,
      ...{ worker: undefined, ended: Promise.resolve(), deaths: NO_DEATHS, muted: false, next: undefined },
    }));
    for (const slot of this.#slots) this.#start(slot);
  }

  /** To be told whenever the run has got on: as long as it does, dying workers are worth starting again. */
  progressed(): void {
    this.#progress += 1;
  }

  /** Waits until all have left, as they do at the end of a run; those that had not joined yet are ended. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { next } of this.#slots) clearTimeout(next?.timer);
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
      worker = this.#options.launch(slot.place);
    } catch (thrown) {
      this.#exited(slot, { reason: `could not be started: ${messageOf(thrown)}`, code: undefined }, "");
      return;
    }
    slot.worker = worker;
    this.#watch(slot, worker);
  }

  #watch(slot: Slot, worker: LocalWorker): void {
    let lastWords = "";
    const lines = createInterface({ input: worker.stderr });
    lines.on("line", (line) => {
      if (!NOT_A_SENTENCE.test(line)) lastWords = line;
      this.#passOn(slot, worker.name, line, worker.pid);
    });
    const allSaid = once(lines, "close");
    slot.ended = new Promise<void>((resolve) => {
      worker.onExit((exit) => {
        resolve();
        void allSaid.then(() => this.#exited(slot, exit, lastWords));
      });
    });
  }

  #passOn(slot: Slot, name: string, words: string, pid?: number): void {
    if (slot.muted && isCalm(slot.deaths, this.#options.clock.now())) slot.muted = false;
    if (!slot.muted && !this.#closing) this.#options.onWarning(`${name}: ${words}`, pid);
  }

  #exited(slot: Slot, { reason, code, killed = false, stack }: LocalExit, lastWords: string): void {
    const name = slot.worker?.name ?? "a worker";
    slot.worker = undefined;
    if (this.#closing || this.#options.isOver()) return;
    if (stack !== undefined) this.#passOn(slot, name, stack);
    slot.deaths = afterDeath(slot.deaths, this.#options.clock.now(), this.#progress, killed);
    // Bad usage and refused data would be the same next time.
    const mayRestart = code !== 2 && code !== 4;
    if (mayRestart && !isHopeless(slot.deaths)) {
      this.#startAfter(slot, pauseMs(slot.deaths, !this.#isAnyAlive()));
      this.#muteIfFlapping(slot, name, reason);
    } else {
      const last = `${reason}${lastWords === "" ? "" : ` (${lastWords})`}`;
      this.#giveUp(mayRestart ? ", again and again" : "", last, code);
    }
    if (!this.#isAnyAlive()) this.#hurry();
  }

  #startAfter(slot: Slot, afterMs: number): void {
    clearTimeout(slot.next?.timer);
    const timer = setTimeout(() => {
      slot.next = undefined;
      if (!this.#options.isOver()) this.#start(slot);
    }, afterMs);
    slot.next = { timer, dueMs: this.#options.clock.now() + afterMs };
  }

  /** Nobody is left to do the work of those that wait for their start. */
  #hurry(): void {
    const latestMs = this.#options.clock.now() + PAUSE_ALONE_MS;
    for (const slot of this.#slots) {
      if (slot.next !== undefined && slot.next.dueMs > latestMs) this.#startAfter(slot, PAUSE_ALONE_MS);
    }
  }

  #isAnyAlive(): boolean {
    return this.#slots.some(({ worker }) => worker !== undefined);
  }

  /** Each death is reported by the run already, as the loss of a worker: what is said here is said once. */
  #muteIfFlapping(slot: Slot, name: string, reason: string): void {
    if (slot.muted || !isFlapping(slot.deaths)) return;
    slot.muted = true;
    this.#options.onWarning(
      `${name} died (${reason}), as did those before it: the next ones are started after longer pauses while others ` +
        "work, and what they write is not shown until one of them lives for half a minute",
    );
  }

  #giveUp(often: string, last: string, code: number | undefined): void {
    const left = this.#slots.filter(({ worker, next }) => worker !== undefined || next !== undefined).length;
    const message = `${lost(this.#slots.length - left, this.#slots.length)} ended${often}; the last time: ${last}`;
    if (left >= this.#options.needed) this.#options.onWarning(message);
    else this.#options.onTooFew(message, code);
  }
}

function lost(count: number, all: number): string {
  if (all === 1) return "the only worker has";
  return count === all ? `all ${all} workers have` : `${count} of ${all} workers ${count === 1 ? "has" : "have"}`;
}
