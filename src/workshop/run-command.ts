/** Runs a command to its end, and keeps what it prints. */

import { type ChildProcess, spawn } from "node:child_process";

export interface CommandEnd {
  /** Undefined when there is no such command. */
  readonly code: number | null | undefined;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was killed since it took too long. */
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Instead of this process's environment. */
  readonly environment?: NodeJS.ProcessEnv;
  /** The command is killed after that, with all that it has started. */
  readonly timeoutMs?: number;
  /** Gets what the command prints while it prints it. */
  readonly echo?: (text: string) => void;
}

/** What is remembered of a command's output: its last characters. */
const OUTPUT_CHARACTERS = 1_000_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) killGroup(child);
});

/** Runs a command to its end. A command that ends with another code than 0 is the caller's to judge. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { cwd, environment, timeoutMs, echo }: CommandOptions = {},
): Promise<CommandEnd> {
  // A group of its own: pip, npm and compilers start others, and all of them are to end.
  const child = spawn(command, args, {
    cwd,
    env: environment ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] = (output[name] + text).slice(-OUTPUT_CHARACTERS);
      echo?.(text);
    });
  }
  let timedOut = false;
  const end = (): void => {
    timedOut = true;
    killGroup(child);
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs);
  try {
    return await new Promise<CommandEnd>((resolve, reject) => {
      child.once("error", (error) => {
        if ("code" in error && error.code === "ENOENT") resolve({ code: undefined, signal: null, timedOut, ...output });
        else reject(error);
      });
      child.once("close", (code, signal) => resolve({ code, signal, timedOut, ...output }));
    });
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

/** The last lines of what a command printed, for a message. */
export function lastLines(text: string, count = 5): string {
  return text
    .trim()
    .split("\n")
    .slice(-count)
    .map((line) => line.trim())
    .join(" | ");
}
