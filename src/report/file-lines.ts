import { createReadStream, statSync } from "node:fs";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";

/** Far longer than any line of a run's files: such a file is something else. */
const MAX_LINE_CHARACTERS = 16 * 2 ** 20;

export interface FileLine {
  readonly line: string;
  /** From 1. */
  readonly number: number;
  /** The last one is not where a process was killed while it wrote. */
  readonly isWhole: boolean;
}

/**
 * A file's lines, of any number; none where there is no file.
 *
 * @throws LockstepError `refused` when it cannot be read
 */
export async function* linesOf(path: string): AsyncGenerator<FileLine> {
  let [rest, number] = ["", 0];
  try {
    // A pipe or a device may never end.
    if (!statSync(path).isFile()) throw new Error("it is not a regular file");
    for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield { line, number: (number += 1), isWhole: true };
      if (rest.length > MAX_LINE_CHARACTERS) throw new Error("it has lines that are too long");
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    if (error instanceof LockstepError) throw error;
    throw new LockstepError("refused", `cannot read ${path}: ${messageOf(error)}; is it of a run?`, { cause: error });
  }
  if (rest !== "") yield { line: rest, number: number + 1, isWhole: false };
}
