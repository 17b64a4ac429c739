import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";

/** How long a child may take to end in good order before it is killed. */
const END_MS = 3_000;

/** The processes that a command has started, so that none of them outlives it. */
export class ChildProcesses {
  readonly #running = new Set<ChildProcess>();
  #ending = false;

  /** `node` or any other program. Its end, and whether it could be started at all, is the caller's to watch. */
  start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    if (this.#ending) throw new Error("the command is ending");
    const child = spawn(command, args, options);
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    child.once("error", () => this.#running.delete(child));
    return child;
  }

  /** Ends what still runs, and waits until it is gone. Nothing can be started any more. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#running].map(ended));
  }

  /** Ends what still runs at once, without a wait. */
  kill(): void {
    for (const child of this.#running) child.kill("SIGKILL");
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  child.kill("SIGTERM");
  await once(child, "exit");
  clearTimeout(timer);
}

/** This process's environment without lockstep's options: what is started does what it is told, not what they say. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("LOCKSTEP_")));
}
