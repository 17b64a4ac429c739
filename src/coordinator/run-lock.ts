/** Keeps a second coordinator out of a run's folder: a file there that names the process which writes to it. */

import { readFileSync, realpathSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { LockstepError, systemCode } from "../shared/errors.ts";
import { createFileSync, replaceFileSync } from "../shared/whole-file.ts";

const LOCK = "coordinator.lock";

/** How often the file is looked at again because others were quicker, before that is said. */
const MAX_ATTEMPTS = 20;

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When the process began, in the system's own terms: process numbers are used again. Empty where it is not told. */
  readonly born: string;
}

/** The locks that this very process has. */
const held = new Set<string>();

export class RunLock {
  readonly #path: string;
  readonly #text: string;

  /** To be had from `lockRun`. */
  constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * That nobody has taken the lock over, as a coordinator on another machine may that believed this one dead.
   * @throws LockstepError "failed" where somebody has: two must not write to one folder
   */
  assertHeld(): void {
    const found = textAt(this.#path);
    const holder = found === undefined || found === this.#text ? undefined : parse(found);
    if (holder === undefined) return;
    const folder = dirname(this.#path);
    const message = `${folder} was taken over by a coordinator on ${holder.host} (process ${holder.pid}), which goes on with the run: this one ends`;
    throw new LockstepError("failed", message);
  }

  /** Lets others in. Never throws: a lock that stays is stale once this process has ended. */
  release(): void {
    if (!held.delete(this.#path)) return;
    try {
      // After a takeover it is another's.
      if (readFileSync(this.#path, "utf8") === this.#text) rmSync(this.#path);
    } catch {
      // It is gone, and perhaps the folder with it.
    }
  }
}

/**
 * Locks a run's folder, which must exist, for this process. A lock whose process has ended is taken over; so is one of
 * another machine, of which this one cannot tell, with a warning.
 *
 * @throws LockstepError `usage` when another coordinator on this machine holds it; a system error when it cannot be made
 */
export function lockRun(folder: string, warn: (message: string) => void): RunLock {
  const path = join(realpathSync(folder), LOCK);
  const text = `${JSON.stringify({ host: hostname(), pid: process.pid, born: birthOf(process.pid) ?? "" } satisfies Holder)}\n`;
  const former = take(path, text, folder);
  held.add(path);
  if (former !== undefined && former.host !== hostname()) {
    warn(
      `${folder} was in use by process ${former.pid} on ${former.host}, which is taken to have ended; ` +
        "two coordinators must not write to one folder",
    );
  }
  return new RunLock(path, text);
}

/**
 * Puts `text` at a path where there is nothing or a stale lock.
 *
 * A stale one is replaced only by whoever has a second lock, at a path of its own, and still finds it there: of several
 * that come at once, one succeeds. The second lock is taken in the same way, as its holder may have been killed as well.
 *
 * @returns whose stale lock was there, as far as it can be read
 */
function take(path: string, text: string, folder: string): Holder | undefined {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const found = readIfThere(path);
    if (found === undefined) {
      if (isCreated(path, text)) return undefined;
      continue;
    }
    const holder = parse(found);
    if (holder !== undefined && isRunning(holder, path)) {
      throw inUse(folder, holder.pid === process.pid ? "this very process" : `process ${holder.pid} on this machine`);
    }
    const takeover = `${path}.takeover`;
    take(takeover, text, folder);
    try {
      if (readIfThere(path) === found) {
        replaceFileSync(path, text);
        return holder;
      }
    } finally {
      rmSync(takeover, { force: true });
    }
  }
  throw inUse(folder, "one that starts at this moment");
}

/** Undefined where there is none, or it cannot be read now. */
function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isCreated(path: string, text: string): boolean {
  try {
    createFileSync(path, text);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** @returns undefined for what no coordinator wrote whole */
function parse(text: string): Holder | undefined {
  try {
    const { host, pid, born } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof host !== "string" || !Number.isSafeInteger(pid) || Number(pid) <= 0) return undefined;
    return { host, pid: Number(pid), born: typeof born === "string" ? born : "" };
  } catch {
    return undefined;
  }
}

function isRunning({ host, pid, born }: Holder, path: string): boolean {
  if (host !== hostname()) return false;
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process cannot be sent a signal, but it is there.
    if (systemCode(error) !== "EPERM") return false;
  }
  const birth = birthOf(pid);
  return birth !== undefined && (birth === born || birth === "" || born === "");
}

/**
 * When a process began: the system's start and the ticks since then. Empty where the system does not tell, undefined
 * for a process that has ended and was not yet asked for its exit code.
 */
function birthOf(pid: number): string | undefined {
  try {
    // See proc(5). The second field, a name in parentheses, may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[19]}`;
  } catch {
    return "";
  }
}

function inUse(folder: string, holder: string): LockstepError {
  const message = `--run-dir ${folder} is in use by another coordinator (${holder}); wait for its end, or choose another folder`;
  return new LockstepError("usage", message);
}
