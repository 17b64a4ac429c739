import { styleText } from "node:util";
import type { DoctorConfig } from "../shared/config.ts";
import { SIGNAL_EXIT_CODES } from "../shared/errors.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { onSignal } from "../signals.ts";
import { machineChecks } from "./doctor/checks.ts";
import { type Check, type Finding, type Status, findOut } from "./doctor/finding.ts";

/** Where the doctor speaks; `process` is such a place. */
export interface DoctorIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** `NO_COLOR` (https://no-color.org) and `TERM` are respected. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const COLOURS = { ok: "green", warning: "yellow", problem: "red" } as const satisfies Record<Status, string>;

/**
 * `lockstep doctor`: a line for each check as soon as it is known, then a verdict. With `--json`, the lines go to stderr
 * and stdout gets one object. Never throws.
 *
 * @returns the exit code: 0 when this machine can train, 1 when it cannot
 */
export async function doctorCommand(
  config: DoctorConfig,
  io: DoctorIo = process,
  checks: readonly Check[] = machineChecks(config),
): Promise<number> {
  const human = new TextOutput(config.json ? io.stderr : io.stdout);
  const coloured = human.isTTY && !io.env.NO_COLOR && io.env.TERM !== "dumb";
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const findings: (Omit<Finding, "name"> & { readonly check: string })[] = [];
  // Ending through `exit` ends what the checks have started.
  const restoreSignals = onSignal((signal) => process.exit(SIGNAL_EXIT_CODES[signal]));
  for (const check of checks) {
    for (const { name = check.name, ...finding } of await findOut(check)) {
      findings.push({ check: name, ...finding });
      for (const line of linesOf(name.padEnd(nameWidth), finding, coloured)) human.line(line);
    }
  }
  restoreSignals();
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length;
  const ok = count("problem") === 0;
  human.line(verdict(count("problem"), count("warning")));
  if (config.json) new TextOutput(io.stdout).line(JSON.stringify({ ok, checks: findings }));
  return ok ? 0 : 1;
}

const STATUS_WIDTH = "problem".length;

function linesOf(name: string, { status, found, fix }: Finding, coloured: boolean): string[] {
  const word = status.padEnd(STATUS_WIDTH);
  const shown = coloured ? styleText(COLOURS[status], word, { validateStream: false }) : word;
  const margin = " ".repeat(STATUS_WIDTH + 2 + name.length + 2);
  return [`${shown}  ${name}  ${found}`, ...(fix === undefined ? [] : [`${margin}-> ${fix}`])];
}

function verdict(problems: number, warnings: number): string {
  if (problems > 0) return "This machine cannot train yet: mend what is marked as a problem, then ask again.";
  const start = "Start with: npx lockstep train";
  return warnings > 0 ? `This machine can train; see the warnings. ${start}` : `This machine can train. ${start}`;
}
