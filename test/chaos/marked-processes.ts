import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ended, RunningCommand } from "../support/cli.ts";

const VARIABLE = "CHAOS_MARK";

/** Commands of lockstep that carry a mark in their environment, which their children inherit: none of them gets lost. */
export class MarkedProcesses {
  readonly #mark = randomBytes(8).toString("hex");
  readonly #folder: string;
  readonly #started: RunningCommand[] = [];
  #count = 0;

  /** @param folder where the commands run, and what they take for the system's folder of temporary files */
  constructor(folder: string) {
    this.#folder = folder;
  }

  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): RunningCommand {
    const marks = { [VARIABLE]: this.#mark, TMPDIR: this.#folder };
    const command = new RunningCommand(args, this.#folder, { ...marks, ...environment });
    this.#started.push(command);
    void command.ended().then((ended) => this.#log(args, command.pid, ended));
    return command;
  }

  /** What it wrote, for whoever wants to know why a run failed. */
  #log(args: readonly string[], pid: number, { code, signal, stdout, stderr }: Ended): void {
    const text = `lockstep ${args.join(" ")}\n${stderr}${stdout}ended with ${signal ?? `code ${code}`}\n`;
    const folder = join(this.#folder, "logs");
    // The folder is gone when the commands are killed at the end.
    if (!existsSync(this.#folder)) return;
    mkdirSync(folder, { recursive: true });
    this.#count += 1;
    writeFileSync(join(folder, `${String(this.#count).padStart(4, "0")}-${args[0]}-${pid}.log`), text);
  }

  /** Process ids of all that still runs: on Linux children of children too, elsewhere what was started here. */
  async left(): Promise<number[]> {
    const started = this.#started.filter((command) => !command.hasEnded).map(({ pid }) => pid);
    if (process.platform !== "linux") return started;
    const pids = (await readdir("/proc")).map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
    const marked = await Promise.all(pids.map((pid) => isMarked(pid, this.#mark)));
    return pids.filter((_, i) => marked[i]);
  }

  /** Waits until nothing is left. @returns what is, after so long */
  async gone(timeoutMs: number): Promise<number[]> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const left = await this.left();
      if (left.length === 0 || performance.now() > deadline) return left;
      await sleep(50);
    }
  }

  /** Kills what is left, stopped or not, and waits for its end. */
  async kill(): Promise<void> {
    for (const pid of await this.left()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await Promise.all(this.#started.map((command) => command.ended()));
  }

  /** At once, where nothing can be waited for: what was started here; the children of those end with them. */
  killNow(): void {
    for (const command of this.#started) if (!command.hasEnded) command.kill("SIGKILL");
  }
}

async function isMarked(pid: number, mark: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/environ`, "latin1")).includes(`${VARIABLE}=${mark}`);
  } catch {
    // It has ended, or is somebody else's.
    return false;
  }
}
