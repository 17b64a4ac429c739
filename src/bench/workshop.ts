import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Signal, SIGNAL_EXIT_CODES } from "../shared/errors.ts";
import { onSignal } from "../signals.ts";
import { ChildProcesses } from "./child-processes.ts";

/** Where a bench works. */
export interface Workshop {
  readonly children: ChildProcesses;
  /** A temporary folder. */
  readonly folder: string;
  /** Does something at the end, before the folder is removed. Must not throw. */
  readonly defer: (action: () => void) => void;
}

/**
 * Does `work` and leaves no process and no folder behind, however it ends; a signal ends it early.
 * @returns the exit code
 */
export async function inWorkshop(work: (workshop: Workshop) => Promise<void>): Promise<number> {
  const children = new ChildProcesses();
  const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
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
    const done = work({ children, folder, defer: (action) => deferred.push(action) }).then(() => undefined);
    // Once interrupted, what is said about lost children is of no interest.
    done.catch(() => {});
    const signal = await Promise.race([done, interrupted]);
    return signal === undefined ? 0 : SIGNAL_EXIT_CODES[signal];
  } finally {
    await children.end();
    tidyUp();
    process.off("exit", atExit);
    restore();
  }
}
