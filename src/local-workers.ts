import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CHILD_MARK } from "./child-mark.ts";
import type { TrainConfig } from "./shared/config.ts";
import { invariant } from "./shared/errors.ts";

/** Worker processes on this machine: started, watched, started again when they die, and ended. */

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
  readonly address: string;
  readonly engine: TrainConfig["engine"];
  readonly data: string | undefined;
  readonly onExit: (pid: number, reason: string) => void;
  /** Fewer than `needed` are left, and none will be started again. */
  readonly needed: number;
  readonly onTooFew: (message: string) => void;
  readonly onWarning: (message: string) => void;
}

interface Slot {
  child: ChildProcess | undefined;
  restarts: number;
  timer: NodeJS.Timeout | undefined;
}

export class LocalWorkers {
  readonly #options: LocalWorkersOptions;
  readonly #slots: Slot[];
  #closing = false;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, () => ({ child: undefined, restarts: 0, timer: undefined }));
    for (const slot of this.#slots) this.#start(slot);
  }

  /** Waits until all have left, as they do at the end of a run; those that had not joined yet are ended. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { timer } of this.#slots) clearTimeout(timer);
    await Promise.all(this.#slots.flatMap(({ child }) => (child === undefined ? [] : [endOf(child)])));
  }

  #start(slot: Slot): void {
    const { address, engine, data } = this.#options;
    // The same file that runs this: cli.js once built, cli.ts under a loader for development. Only the loader's flags are
    // handed on: others may be another program's, such as `-e` with its code.
    const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    const cli = fileURLToPath(new URL(`./cli${extension}`, import.meta.url));
    const args = ["worker", "--connect", address, "--engine", engine, "--quiet"];
    if (data !== undefined) args.push("--data", data);
    const flags = extension === ".ts" ? process.execArgv : [];
    const startedAt = performance.now();
    const child = spawn(process.execPath, [...flags, cli, ...args], {
      env: { ...withoutOptions(process.env), [CHILD_MARK]: "1" },
      // The channel closes with this process, however it ends: the worker then ends too.
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    slot.child = child;
    let lastWords = "";
    invariant(child.stderr !== null, "a worker's stderr is a pipe");
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      lastWords = line;
      if (!this.#closing) this.#options.onWarning(`worker process ${child.pid}: ${line}`);
    });
    const allSaid = once(lines, "close");
    child.on("error", (error) => {
      if (child.pid === undefined) this.#exited(slot, `could not be started: ${error.message}`, "", true);
    });
    child.on("exit", (code, signal) => {
      const reason = signal === null ? `its process exited with code ${code}` : `its process was ended by ${signal}`;
      if (child.pid !== undefined) this.#options.onExit(child.pid, reason);
      // Bad usage and refused data would be the same next time.
      const mayRestart = code !== 2 && code !== 4;
      if (performance.now() - startedAt > LONG_LIFE_MS) slot.restarts = 0;
      void allSaid.then(() => this.#exited(slot, reason, lastWords, mayRestart));
    });
  }

  #exited(slot: Slot, reason: string, lastWords: string, mayRestart: boolean): void {
    slot.child = undefined;
    if (this.#closing) return;
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
    const left = this.#slots.filter(({ child, timer }) => child !== undefined || timer !== undefined).length;
    if (left >= this.#options.needed) return;
    const said = lastWords === "" ? "" : ` (${lastWords})`;
    const which = left === 0 ? `all ${this.#slots.length} workers` : `${this.#slots.length - left} of the workers`;
    this.#options.onTooFew(`${which} have ended, again and again; the last one: ${reason}${said}`);
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timers = [
      // A worker whose channel closes ends at once, whatever it is doing, and without a word.
      setTimeout(() => child.connected && child.disconnect(), LEAVE_MS),
      setTimeout(() => child.kill("SIGKILL"), LEAVE_MS + END_MS),
    ];
    // Not "close": it does not come once the channel was closed from this side.
    child.once("exit", () => {
      for (const timer of timers) clearTimeout(timer);
      resolve();
    });
  });
}

/** What was set for this command is handed to the workers as flags; its variables are not meant for them. */
function withoutOptions(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("LOCKSTEP_")));
}
