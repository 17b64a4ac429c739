import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Signal, SIGNAL_EXIT_CODES } from "../shared/errors.ts";
import { onSignal } from "../signals.ts";
import { ChildProcesses } from "./child-processes.ts";

/** Where a command works that starts others. */
export interface Workshop {
  readonly children: ChildProcesses;
  /** A temporary folder. */
  readonly folder: string;
  /** Does something at the end, before the folder is removed. Must not throw. */
  readonly defer: (action: () => void) => void;
}

/**
 * Does `work` and leaves no process and no folder behind, however it ends; a signal ends it early.
 * @param work gives an exit code
 * @returns the exit code, the signal's where one came
 */
export async function inWorkshop(work: (workshop: Workshop) => Promise<number>): Promise<number> {
  const children = new ChildProcesses();
  const folder = mkdtempSync(join(tmpdir(), "lockstep-work-"));
  const deferred: (() => void)[] = [];
  const tidyUp = (): void => {
    for (const action of deferred.splice(0)) action();
    rmSync(folder, { recursive: true, force: true });
  };
  // A second signal ends this process at once.
  const atExit = (): void => {
    children.kill();
    tidyUp();
  };
  process.once("exit", atExit);
  let restore: () => void = () => {};
  const interrupted = new Promise<Signal>((resolve) => {
    restore = onSignal(resolve);
  });
  try {
    const done = work({ children, folder, defer: (action) => deferred.push(action) });
    // Once interrupted, what is said about lost children is of no interest.
    done.catch(() => {});
    const ended = await Promise.race([done, interrupted]);
    return typeof ended === "number" ? ended : SIGNAL_EXIT_CODES[ended];
  } finally {
    await children.end();
    tidyUp();
    process.off("exit", atExit);
    restore();
  }
}
