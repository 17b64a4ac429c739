import { EXIT_CODES, LockstepError, messageOf } from "../errors.ts";

/** What a log says of an error that ended something: a sentence, and more where it is a bug. */
export interface Failure {
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof LockstepError) {
    return { msg: thrown.message, fields: { code: thrown.code, exitCode: thrown.exitCode } };
  }
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  return { msg: `unexpected error: ${messageOf(thrown)}`, fields: { exitCode: EXIT_CODES.failed, stack } };
}
