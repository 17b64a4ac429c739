/**
 * Every way lockstep can refuse or fail, with the exit code of each. A message names the thing, the value that was
 * found, and what to do about it.
 */

export type ErrorCode = "usage" | "not-enough-workers" | "refused" | "diverged" | "protocol" | "failed";

/** Process exit codes; 130 and 143 (interrupted after a checkpoint) come from the signal instead. */
export const EXIT_CODES = {
  failed: 1,
  protocol: 1,
  usage: 2,
  "not-enough-workers": 3,
  /** Data or checkpoint refused. */
  refused: 4,
  diverged: 5,
} as const satisfies Record<ErrorCode, number>;

export class LockstepError extends Error {
  override readonly name = "LockstepError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** What was thrown, as one line for a person. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code of a system error, such as "ENOENT"; empty for anything else. */
export function systemCode(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}

/** Exit codes of a process that a signal ended: 128 and the signal's number. */
export const SIGNAL_EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type Signal = keyof typeof SIGNAL_EXIT_CODES;
export const SIGNALS: readonly Signal[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/** Throws when something that cannot happen has happened: a bug in lockstep, never the user's doing. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${what}`);
}
