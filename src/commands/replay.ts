import { createReadStream, statSync } from "node:fs";
import { readEvent, readHead } from "../coordinator/recording-format.ts";
import { type Difference, Replay } from "../coordinator/replay.ts";
import type { ReplayConfig } from "../shared/config.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { formatPlural } from "../shared/format.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { VERSION } from "../version.ts";

/** Far longer than any line of a recording: such a file is something else. */
const MAX_LINE_CHARACTERS = 16 * 2 ** 20;

/** Where the command speaks; `process` is such a place. */
export interface ReplayIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

/**
 * `lockstep replay`: feeds a recorded run's events through the coordinator's machine, prints what happened, and checks
 * that it decides as it did then.
 *
 * @returns the exit code: 0 when it does, 1 from the first difference on
 * @throws LockstepError `refused` when the file is no recording, is damaged or was written by another version
 */
export async function replayCommand(
  { events: path, json, quiet }: ReplayConfig,
  io: ReplayIo = process,
): Promise<number> {
  const human = new TextOutput(json ? io.stderr : io.stdout);
  let replay: Replay | undefined;
  let [torn, number] = [false, 0];
  let difference: Difference | undefined;
  for await (const { line, isWhole } of linesOf(path)) {
    number += 1;
    if (replay === undefined) {
      replay = new Replay(readHead(line, VERSION, path));
      continue;
    }
    const recorded = readEvent(line);
    if (recorded === undefined) {
      if (isWhole) throw new LockstepError("refused", `line ${number} of ${path} is damaged; record the run again`);
      torn = true;
      break;
    }
    const { lines, difference: found } = replay.take(recorded);
    if (!quiet) human.line(lines.join("\n"));
    difference = found;
    if (difference !== undefined) break;
  }
  // An empty file has no lines at all.
  replay ??= new Replay(readHead("", VERSION, path));
  const { events, steps, outcome } = replay;
  human.line(difference === undefined ? summary(replay, torn) : differenceText(difference, path));
  if (json) {
    const result = { same: difference === undefined, events, steps, outcome: outcome ?? null, torn };
    new TextOutput(io.stdout).line(JSON.stringify({ ...result, difference: difference ?? null }));
  }
  return difference === undefined ? 0 : 1;
}

function summary({ events, steps, outcome }: Replay, torn: boolean): string {
  const end = outcome === undefined ? "no end is recorded" : `the run ended: ${outcome}`;
  const tail = torn ? "; the last line is torn, and was passed over" : "";
  return `Replayed ${formatPlural(events, "event")} and ${formatPlural(steps, "step")}, all decided as recorded; ${end}${tail}`;
}

function differenceText({ event, what, expected, found }: Difference, path: string): string {
  return (
    `Event ${event} of ${path} (line ${event + 1}) is decided otherwise than recorded: ${what}\n` +
    `expected: ${expected}\nfound: ${found}`
  );
}

/** A file's lines; the last one is not whole where it lacks its end. */
async function* linesOf(path: string): AsyncGenerator<{ line: string; isWhole: boolean }> {
  let rest = "";
  try {
    // A pipe or a device may never end.
    if (!statSync(path).isFile()) throw new Error("it is not a regular file");
    for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield { line, isWhole: true };
      if (rest.length > MAX_LINE_CHARACTERS) throw new Error("it has lines that are too long");
    }
  } catch (error) {
    const message = `cannot read the recording ${path}: ${messageOf(error)}; name a file that --record-events wrote`;
    throw new LockstepError("refused", message, { cause: error });
  }
  if (rest !== "") yield { line: rest, isWhole: false };
}
