import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect } from "vitest";

/** Runs the built command as a user would: a process, its output, its exit code. */

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** A condition that has not come true by then never will. */
const DEADLINE_MS = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A report takes as long as many of the small runs of these tests. */
const WITHOUT_REPORT = { LOCKSTEP_REPORT: "false" };

/** A command under way. */
export class RunningCommand {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";
  #changed: () => void = () => {};

  constructor(args: readonly string[], cwd: string, environment: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [CLI, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#changed();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#changed();
    });
    this.#ended = once(this.#child, "close").then(() => {
      this.#changed();
      const { exitCode: code, signalCode: signal } = this.#child;
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until stdout or stderr matches; fails when the command ends, or the deadline passes, before it does. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
      if (match !== null) return match;
      if (this.hasEnded || Date.now() > deadline) {
        expect.fail(`never saw ${String(pattern)} in:\n${this.#stdout}\n${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }
}

/**
 * For a test file: `start` and `run` commands in an empty folder of their own. After each test, whatever is still
 * running is killed and the folder removed.
 *
 * @param defaults environment of each command
 */
export function useCli(defaults: Readonly<Record<string, string>> = WITHOUT_REPORT): {
  start(args: readonly string[], environment?: Readonly<Record<string, string>>): RunningCommand;
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Ended>;
  folder(): string;
} {
  let cwd: string | undefined;
  const commands: RunningCommand[] = [];
  const folder = (): string => (cwd ??= mkdtempSync(join(tmpdir(), "lockstep-cli-test-")));
  const start = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): RunningCommand => {
    // What a killed command leaves behind goes with the folder.
    const command = new RunningCommand(args, folder(), { ...defaults, TMPDIR: folder(), ...environment });
    commands.push(command);
    return command;
  };
  afterEach(async () => {
    const running = commands.splice(0).filter((command) => !command.hasEnded);
    for (const command of running) command.kill("SIGKILL");
    await Promise.all(running.map((command) => command.ended()));
    if (cwd !== undefined) rmSync(cwd, { recursive: true, force: true });
    cwd = undefined;
  });
  return { start, run: (args, environment) => start(args, environment).ended(), folder };
}

/** The object that `--json` prints as the last line. */
export function resultOf({ stdout, stderr, code }: Ended): Record<string, unknown> {
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(last) as Record<string, unknown>;
  } catch {
    return expect.fail(`exit code ${String(code)}, last line of stdout is not JSON: "${last}"; stderr:\n${stderr}`);
  }
}

/** Process ids of a process's children, from the system's process table (Linux). */
export async function childrenOf(pid: number): Promise<number[]> {
  const ps = spawn("ps", ["-o", "pid=", "--ppid", String(pid)], { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  ps.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(ps, "close");
  return output
    .split("\n")
    .map((line) => Number(line.trim()))
    .filter((child) => child > 0 && child !== ps.pid);
}

/** Waits until a process is gone; fails when it stays. */
export async function gone(pid: number): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) expect.fail(`process ${pid} is still running`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
