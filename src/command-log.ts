import { basename, resolve } from "node:path";
import { LockstepError, messageOf } from "./shared/errors.ts";
import { failureOf } from "./shared/log/failure.ts";
import { Log } from "./shared/log/log.ts";
import { TextOutput, type TextStream } from "./shared/text-output.ts";

/** What the command itself has to say on stderr, before a run begins or when it could not: as text or as JSON lines. */
export interface CommandLog {
  warn(message: string): void;
  /** Of what ended the command. A LockstepError is a sentence for a person; anything else is a bug and has its stack. */
  fail(thrown: unknown): void;
}

export interface CommandLogOptions {
  readonly command: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly stderr: TextStream;
}

/** For people. */
export function textCommandLog(stderr: TextStream): CommandLog {
  const output = new TextOutput(stderr);
  return {
    warn: (message) => output.line(`lockstep: warning: ${message}`),
    fail: (thrown) => output.line(`lockstep: ${thrown instanceof LockstepError ? thrown.message : bugReport(thrown)}`),
  };
}

/** As the options of the command say. */
export function commandLog({ command, config, stderr }: CommandLogOptions): CommandLog {
  if (config["logFormat"] !== "json") return textCommandLog(stderr);
  const output = new TextOutput(stderr);
  const log = new Log({ write: (line) => output.write(line) });
  const run = typeof config["runDir"] === "string" ? basename(resolve(config["runDir"])) : null;
  const context = { run, worker: null, step: null };
  return {
    warn: (message) => log.write({ ...context, level: "warn", event: "warning", msg: `warning: ${message}` }),
    fail: (thrown) => {
      const event = command === "worker" ? "ended" : "run-failed";
      log.write({ ...context, level: "error", event, ...failureOf(thrown) });
    },
  };
}

function bugReport(thrown: unknown): string {
  return `unexpected error: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)}`;
}
