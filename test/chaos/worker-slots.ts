import { setTimeout as sleep } from "node:timers/promises";
import { INTERRUPTED_CODE } from "../../src/shared/protocol/run-end.ts";
import type { Ended, RunningCommand } from "../support/cli.ts";
import type { Draws } from "./draws.ts";
import type { Waits } from "./waits.ts";
import { type Deed, freezeMs, replacementPauseMs, seconds, type Victims } from "./victims.ts";

/** One who was told that the run is over, by a coordinator that was brought down, comes back after so long. */
const RETURN_MS = 200;
/** A worker that leaves waits a second for an answer; the rest is for a slow machine. */
const DRAIN_MS = 20_000;

type Ending = "SIGKILL" | "SIGTERM";

interface Slot {
  readonly number: number;
  command: RunningCommand | undefined;
  /** It was told to end by these. */
  readonly endings: Set<Ending>;
  frozen: boolean;
  returnsAfterMs: number;
}

interface WorkerSlotsOptions {
  readonly count: number;
  /** Starts a worker in the i-th place, from 0. */
  readonly start: (slot: number) => RunningCommand;
  /** For how long one is frozen, or its place empty. */
  readonly waits: Waits;
  /** Told when a worker ended as none should. */
  readonly onViolation: (what: string) => void;
}

/** Worker processes of a fleet, each with its place: whoever ends is followed by another, until the run is over. */
export class WorkerSlots implements Victims {
  readonly #options: WorkerSlotsOptions;
  readonly #slots: readonly Slot[];
  #isOver = false;

  constructor(options: WorkerSlotsOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, i) => {
      return { number: i + 1, command: undefined, endings: new Set(), frozen: false, returnsAfterMs: 0 };
    });
  }

  start(): void {
    for (const slot of this.#slots) this.#fill(slot);
  }

  async kill(draws: Draws): Promise<Deed> {
    const slot = this.#choose(draws, () => true);
    if (slot === undefined) return undefined;
    const pauseMs = replacementPauseMs(draws);
    const what = nameOf(slot);
    await this.#end(slot, "SIGKILL", pauseMs);
    return `${what}, the next one after ${seconds(pauseMs)}`;
  }

  async killAll(draws: Draws): Promise<Deed> {
    const slots = this.#slots.filter(isRunning);
    if (slots.length === 0) return undefined;
    await Promise.all(slots.map((slot) => this.#end(slot, "SIGKILL", replacementPauseMs(draws))));
    return slots.map(({ number }) => `worker ${number}`).join(", ");
  }

  async drain(draws: Draws): Promise<Deed> {
    const slot = this.#choose(draws, ({ frozen }) => !frozen);
    if (slot === undefined) return undefined;
    const pauseMs = replacementPauseMs(draws);
    const what = nameOf(slot);
    const command = slot.command;
    const ended = await Promise.race([
      this.#end(slot, "SIGTERM", pauseMs).then(() => true),
      sleep(DRAIN_MS, false, { ref: false }),
    ]);
    if (!ended) {
      // Whoever froze it meanwhile keeps it from ending.
      if (!slot.frozen) this.#options.onViolation(`${what} did not end within ${seconds(DRAIN_MS)} of SIGTERM`);
      command?.kill("SIGKILL");
    }
    return `${what}, the next one after ${seconds(pauseMs)}`;
  }

  async freeze(draws: Draws): Promise<Deed> {
    const slot = this.#choose(draws, ({ frozen, endings }) => !frozen && endings.size === 0);
    if (slot?.command === undefined) return undefined;
    const { command } = slot;
    const ms = freezeMs(draws);
    const what = nameOf(slot);
    slot.frozen = true;
    command.kill("SIGSTOP");
    await this.#options.waits.wait(ms);
    command.kill("SIGCONT");
    slot.frozen = false;
    return `${what} for ${seconds(ms)}`;
  }

  /** No more workers are started. Those that did not hear that the run is over are asked to end. */
  async close(): Promise<void> {
    this.#isOver = true;
    await sleep(1_000);
    for (const slot of this.#slots) {
      if (!isRunning(slot)) continue;
      // Whoever does not end then is killed with all that is left.
      slot.endings.add("SIGTERM").add("SIGKILL");
      slot.command?.kill("SIGTERM");
    }
  }

  #choose(draws: Draws, suits: (slot: Slot) => boolean): Slot | undefined {
    const slots = this.#slots.filter((slot) => isRunning(slot) && suits(slot));
    return slots.length === 0 ? undefined : draws.pick(slots);
  }

  async #end(slot: Slot, signal: Ending, returnsAfterMs: number): Promise<void> {
    slot.endings.add(signal);
    slot.returnsAfterMs = returnsAfterMs;
    slot.command?.kill(signal);
    await slot.command?.ended();
  }

  #fill(slot: Slot): void {
    const command = this.#options.start(slot.number - 1);
    slot.command = command;
    slot.endings.clear();
    slot.returnsAfterMs = RETURN_MS;
    void this.#follow(slot, command);
  }

  async #follow(slot: Slot, command: RunningCommand): Promise<void> {
    this.#judge(slot, await command.ended(), command.pid);
    await this.#options.waits.wait(slot.returnsAfterMs);
    if (!this.#isOver) this.#fill(slot);
  }

  #judge({ number, endings }: Slot, { code, signal, stderr }: Ended, pid: number): void {
    const isAsTold = [...endings].some((ending) => ending === signal);
    // Asked to end, or the coordinator was, which will go on with the run: the worker then ends with the same code.
    if (code === 0 || code === INTERRUPTED_CODE || isAsTold) return;
    this.#options.onViolation(
      `worker ${number} (pid ${pid}) ended by itself with ${signal ?? `code ${code}`}: ${stderr.slice(-500).trim()}`,
    );
  }
}

const isRunning = ({ command }: Slot): boolean => command?.hasEnded === false;
const nameOf = ({ number, command }: Slot): string => `worker ${number} (pid ${command?.pid ?? 0})`;
