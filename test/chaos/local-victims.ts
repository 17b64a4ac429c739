import { childrenOf } from "../support/cli.ts";
import type { Sabotage } from "../support/sabotage.ts";
import type { Draws } from "./draws.ts";
import type { Leader } from "./leader.ts";
import type { Waits } from "./waits.ts";
import { type Deed, freezeMs, seconds, type Victims } from "./victims.ts";

/** The child processes of `lockstep train`, which starts others by itself when they die. */
export class ChildVictims implements Victims {
  readonly #leader: Leader;
  readonly #waits: Waits;
  readonly #frozen = new Set<number>();

  /** @param waits for how long one is frozen */
  constructor(leader: Leader, waits: Waits) {
    this.#leader = leader;
    this.#waits = waits;
  }

  async kill(draws: Draws): Promise<Deed> {
    const pids = await this.#pids();
    if (pids.length === 0) return undefined;
    const pid = draws.pick(pids);
    return signalled(pid, "SIGKILL") ? `worker process ${pid}` : undefined;
  }

  async killAll(): Promise<Deed> {
    const killed = (await this.#pids()).filter((pid) => signalled(pid, "SIGKILL"));
    return killed.length === 0 ? undefined : `worker processes ${killed.join(", ")}`;
  }

  async freeze(draws: Draws): Promise<Deed> {
    const pids = (await this.#pids()).filter((pid) => !this.#frozen.has(pid));
    if (pids.length === 0) return undefined;
    const pid = draws.pick(pids);
    const ms = freezeMs(draws);
    if (!signalled(pid, "SIGSTOP")) return undefined;
    this.#frozen.add(pid);
    await this.#waits.wait(ms);
    signalled(pid, "SIGCONT");
    this.#frozen.delete(pid);
    return `worker process ${pid} for ${seconds(ms)}`;
  }

  async #pids(): Promise<number[]> {
    return this.#leader.isAlive ? childrenOf(this.#leader.pid) : [];
  }
}

/** The threads of `lockstep train`: one of them takes an order, whoever is first. */
export class ThreadVictims implements Victims {
  readonly #leader: Leader;
  readonly #sabotage: Sabotage;

  constructor(leader: Leader, sabotage: Sabotage) {
    this.#leader = leader;
    this.#sabotage = sabotage;
  }

  kill(): Promise<Deed> {
    return this.#order("process.exit(9)", "a thread");
  }

  fail(): Promise<Deed> {
    return this.#order('throw new Error("chaos")', "a thread");
  }

  freeze(draws: Draws): Promise<Deed> {
    const ms = Math.round(freezeMs(draws));
    const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms})`;
    return this.#order(wait, `a thread for ${seconds(ms)}`);
  }

  async #order(code: string, what: string): Promise<Deed> {
    if (!this.#leader.isAlive) return undefined;
    const { command } = this.#leader;
    await this.#sabotage.order(command, code);
    return command.hasEnded ? undefined : what;
  }
}

function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
