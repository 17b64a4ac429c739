import type { Ended, RunningCommand } from "../support/cli.ts";
import type { Waits } from "./waits.ts";
import { within } from "./within.ts";

/** A leader that was asked to end has a step to finish, maybe on workers that are frozen, and a file to write. */
const END_MS = 60_000;

/** So long a fault waits for another one to be over. */
const TURN_MS = 6_000;

export type Downing = "SIGKILL" | "SIGTERM";

interface LeaderOptions {
  /** Starts the command for its n-th life, from 1. */
  readonly start: (life: number) => RunningCommand;
  /** For how long it is frozen or down. */
  readonly waits: Waits;
}

/** The process that has the weights, `lockstep coordinator` or `lockstep train`, through all of its lives. */
export class Leader {
  readonly #options: LeaderOptions;
  /** Settles once it has ended although nobody brought it down. */
  readonly finished: Promise<Ended>;
  #finish: (ended: Ended) => void = () => {};
  #life = 0;
  #command: RunningCommand | undefined;
  #url: string | undefined;
  #isBusy = false;
  #downing: Downing | undefined;
  #hasFinished = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** How often it was started. */
  get life(): number {
    return this.#life;
  }

  get hasFinished(): boolean {
    return this.#hasFinished;
  }

  get #isUndisturbed(): boolean {
    return !this.#isBusy && !this.#hasFinished && this.#url !== undefined;
  }

  get isAlive(): boolean {
    return this.#command?.hasEnded === false;
  }

  get pid(): number {
    return this.#command?.pid ?? 0;
  }

  get command(): RunningCommand {
    if (this.#command === undefined) throw new Error("the leader was never started");
    return this.#command;
  }

  async start(): Promise<void> {
    const command = this.#options.start(this.#life + 1);
    this.#life += 1;
    this.#command = command;
    this.#url = undefined;
    void command.ended().then((ended) => this.#ended(ended));
    const url = await Promise.race([
      command.sees(/Metrics for Prometheus at (\S+)\/metrics/).catch(() => undefined),
      command.ended().then(() => undefined),
    ]);
    if (command === this.#command) this.#url = url?.[1];
  }

  /**
   * Ends it by a signal, and starts it again after a pause.
   *
   * @param whileDown what is done meanwhile
   * @param when the moment of the signal; false when it never comes
   * @returns false, having done nothing, when something else is being done to it for long
   */
  async bringDown(
    signal: Downing,
    pauseMs: number,
    { whileDown, when }: { whileDown?: () => Promise<void>; when?: () => Promise<boolean> } = {},
  ): Promise<boolean> {
    if (!(await this.#takeTurn())) return false;
    try {
      if (when !== undefined && !(await when())) return false;
      const command = this.command;
      if (this.#hasFinished) return false;
      this.#downing = signal;
      command.kill(signal);
      await within(END_MS, `the end of the leader (pid ${command.pid}) after ${signal}`, command.ended());
      if (this.#hasFinished) return true;
      await whileDown?.();
      await this.#options.waits.wait(pauseMs);
      await this.start();
      return true;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Stops its process for some time. @returns false, having done nothing, when something else is being done to it for long */
  async freeze(ms: number): Promise<boolean> {
    if (!(await this.#takeTurn())) return false;
    const { command } = this;
    try {
      command.kill("SIGSTOP");
      await this.#options.waits.wait(ms);
      return true;
    } finally {
      command.kill("SIGCONT");
      this.#isBusy = false;
    }
  }

  /** What it says at /status; undefined while it does not answer. */
  async status(timeoutMs: number): Promise<Record<string, unknown> | undefined> {
    if (this.#url === undefined) return undefined;
    try {
      const response = await fetch(`${this.#url}/status`, { signal: AbortSignal.timeout(timeoutMs) });
      return (await response.json()) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  }

  /** Faults take turns: once this is true, nobody else's turn comes until `#isBusy` is false again. */
  async #takeTurn(): Promise<boolean> {
    const deadline = performance.now() + TURN_MS;
    while (!this.#isUndisturbed) {
      if (this.#hasFinished || performance.now() > deadline) return false;
      await this.#options.waits.wait(20);
    }
    this.#isBusy = true;
    return true;
  }

  #ended(ended: Ended): void {
    const downing = this.#downing;
    this.#downing = undefined;
    this.#url = undefined;
    if (downing === "SIGKILL" && ended.signal === "SIGKILL") return;
    // Before its handlers are there the signal itself ends it.
    if (downing === "SIGTERM" && (ended.code === 143 || ended.signal === "SIGTERM")) return;
    this.#hasFinished = true;
    this.#finish(ended);
  }
}
