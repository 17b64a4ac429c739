import { EXIT_CODES, SIGNAL_EXIT_CODES } from "../errors.ts";

/** How those that compute for a run end when it does. Pure. */
export interface RunEnd {
  /** The exit code that this end calls for. */
  readonly code: number;
  readonly text: string;
}

/** The run was ended by a signal, and can be resumed: what 0 says, that all is done, would keep supervisors from starting again. */
export const INTERRUPTED_CODE = SIGNAL_EXIT_CODES.SIGTERM;

/** @param reason of a `stop` */
export function runEndOf(reason: string): RunEnd {
  if (reason === "done") return { code: 0, text: "the run is done" };
  return { code: codeOf(reason), text: `the coordinator has ended the run: ${reason}` };
}

function codeOf(reason: string): number {
  switch (reason) {
    case "interrupted":
      return INTERRUPTED_CODE;
    case "diverged":
      // Final, and none of a worker's doing.
      return 0;
    default:
      return EXIT_CODES.failed;
  }
}
