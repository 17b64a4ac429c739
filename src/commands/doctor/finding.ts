import { messageOf } from "../../shared/errors.ts";

/** What the doctor's checks have in common. */

/** `warning`: training works, perhaps with another option. `problem`: it does not. */
export type Status = "ok" | "warning" | "problem";

export interface Finding {
  readonly status: Status;
  /** What was found. */
  readonly found: string;
  /** The command or step that mends it. */
  readonly fix?: string;
  /** What it is about, in place of the check's name, where a check finds several things. */
  readonly name?: string;
}

export interface Check {
  readonly name: string;
  /** What to do when `run` throws or does not end. */
  readonly fix?: string;
  /** How bad that is. Default: a problem. */
  readonly failure?: Status;
  /** Default: 10 s. */
  readonly timeoutMs?: number;
  /** Gives nothing where there is nothing to say. */
  readonly run: () => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;
}

/** Longer than most checks take on a slow machine; together with the others still a matter of seconds. */
const CHECK_TIMEOUT_MS = 10_000;

/** Runs one check. Whatever goes wrong in it becomes a finding. */
export async function findOut(check: Check, timeoutMs = check.timeoutMs ?? CHECK_TIMEOUT_MS): Promise<Finding[]> {
  const failed = (found: string): Finding => ({
    status: check.failure ?? "problem",
    found,
    ...(check.fix === undefined ? {} : { fix: check.fix }),
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((settle) => {
    timer = setTimeout(() => settle(failed(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return [await Promise.race([Promise.resolve().then(check.run), late])].flat();
  } catch (thrown) {
    const [firstLine = ""] = messageOf(thrown).split("\n");
    return [failed(firstLine)];
  } finally {
    clearTimeout(timer);
  }
}
