import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { ChildProcesses } from "../../../src/workshop/child-processes.ts";

/** A program that answers each line with a line. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** It is ended with all others when the bench ends. */
  constructor(children: ChildProcesses, command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = children.start(command, args, { env, stdio: ["pipe", "pipe", "ignore"] });
    this.#child.on("error", () => undefined); // no such program: its output just ends
    this.#child.stdin?.on("error", () => undefined);
    if (this.#child.stdout === null) throw new Error("a peer's stdout is a pipe");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @returns undefined once there are no more lines */
  async read(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done === true ? undefined : next.value;
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
}
