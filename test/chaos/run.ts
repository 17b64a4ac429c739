import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, SIGNAL_EXIT_CODES, SIGNALS } from "../../src/shared/errors.ts";
import { resultOf } from "../support/cli.ts";
import { chaosRun } from "./chaos-run.ts";
import { Injector } from "./injector.ts";
import { MarkedProcesses } from "./marked-processes.ts";
import { reportOf, reportText, type RunReport } from "./report.ts";
import { schedule } from "./schedule.ts";
import { simulateMany } from "./simulation/simulate-many.ts";
import { type ChaosSettings, parseSettings } from "./settings.ts";
import { trainingOptions } from "./stage.ts";
import { type Variant, VARIANTS } from "./variants.ts";

/**
 * `npm run chaos`: training runs, one after the other, to which everything happens that can happen to a fleet. Each must
 * end with the weights of an undisturbed run.
 */

/** A run that could hardly be disturbed is not begun. */
const LEAST_MS = 10_000;

const settings = parseSettings(process.argv.slice(2));
const folder = mkdtempSync(join(tmpdir(), "lockstep-chaos-"));
const processes = new MarkedProcesses(folder);
for (const signal of SIGNALS) {
  process.once(signal, () => {
    void processes.kill().then(() => {
      if (!settings.keep) rmSync(folder, { recursive: true, force: true });
      process.exit(SIGNAL_EXIT_CODES[signal]);
    });
  });
}
// However this process ends.
process.once("exit", () => processes.killNow());

try {
  process.exitCode = settings.simulate > 0 ? await simulated() : await chaos();
} catch (thrown) {
  process.stderr.write(`chaos: ${thrown instanceof Error ? thrown.stack : messageOf(thrown)}\nIts files: ${folder}\n`);
  process.exitCode = 1;
}
await processes.kill();
process.stdout.write("", () => process.exit());

/** @returns the exit code */
async function simulated(): Promise<number> {
  const report = await simulateMany(settings.seed, settings.simulate, (seed, { recoveryMs, lives }) => {
    if (!settings.quiet)
      process.stderr.write(`schedule ${seed}: ${lives} lives, over ${recoveryMs.toFixed(0)} ms after the last fault\n`);
  });
  const { schedules, faults, lives, longestRecoveryMs } = report;
  const survived = [...faults].map(([name, times]) => `  ${name.padEnd(30)} ${times}`).join("\n");
  const text = `Faults survived:\n${survived}\nSchedules: ${schedules}, coordinator lives: ${lives}, longest recovery: ${longestRecoveryMs.toFixed(0)} ms of made-up time\nAll as promised`;
  const json = JSON.stringify({ ...report, faults: Object.fromEntries(faults), passed: true });
  process.stdout.write(`${settings.json ? json : text}\n`);
  rmSync(folder, { recursive: true, force: true });
  return 0;
}

/** @returns the exit code */
async function chaos(): Promise<number> {
  const say = (text: string): void => {
    if (!settings.quiet) process.stderr.write(`${text}\n`);
  };
  const violations: string[] = [];
  const injector = new Injector({
    faults: schedule(settings.seed, settings.kinds, settings.everyS * 1000),
    say,
    onViolation: (what) => {
      violations.push(what);
      say(`  NOT AS PROMISED: ${what}`);
    },
  });
  const recordsEvents = (await processes.start(["coordinator", "--help"]).ended()).stdout.includes("--record-events");
  const references = new Map<string, string>();
  const runs: RunReport[] = [];
  let deadline: number | undefined;
  while (deadline === undefined || (deadline - performance.now() > LEAST_MS && runs.every(isAsPromised))) {
    const variant = VARIANTS[runs.length % VARIANTS.length]!;
    const expectedSha256 = references.get(variant.name) ?? (await undisturbed(settings, variant));
    references.set(variant.name, expectedSha256);
    deadline ??= performance.now() + settings.minutes * 60_000;
    const timeIsUp = AbortSignal.timeout(Math.max(0, Math.round(deadline - performance.now())));
    const number = runs.length + 1;
    say(`run ${number} (${variant.name}): weights must become ${expectedSha256}`);
    const options = { settings, variant, number, expectedSha256, folder, processes, injector, recordsEvents, timeIsUp };
    const report = await chaosRun(options);
    runs.push({ ...report, violations: [...report.violations, ...violations.splice(0)] });
    const weights = report.weightsSha256 === expectedSha256 ? "equal weights" : (report.weightsSha256 ?? "NO WEIGHTS");
    say(`run ${number}: ${weights} after ${report.seconds.toFixed(1)} s, ${report.restarts} restarts`);
    if (runs.every(isAsPromised) && !settings.keep) removeFilesOf(number);
  }
  const report = reportOf(settings, runs, injector.counts);
  const text = reportText(report);
  if (settings.json) process.stderr.write(`${text}\n`);
  process.stdout.write(`${settings.json ? JSON.stringify(report) : text}\n`);
  if (report.passed && !settings.keep) rmSync(folder, { recursive: true, force: true });
  else process.stderr.write(`Run folders, logs and recordings: ${folder}\n`);
  return report.passed ? 0 : 1;
}

/** So that hours of chaos need no more room than one run. */
function removeFilesOf(number: number): void {
  for (const name of readdirSync(folder).filter((file) => file.startsWith(`run-${number}-`))) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function isAsPromised({ violations }: RunReport): boolean {
  return violations.length === 0;
}

/** @returns the weights' SHA-256 of a run to which nothing happens */
async function undisturbed(of: ChaosSettings, variant: Variant): Promise<string> {
  const runDir = join(folder, `reference-${variant.name}`);
  const options = [...trainingOptions(of, variant), "--workers", "2", "--run-dir", runDir];
  const ended = await processes.start(["train", ...options]).ended();
  const { weightsSha256 } = resultOf(ended);
  if (ended.code !== 0 || typeof weightsSha256 !== "string") {
    throw new Error(`the undisturbed run failed with code ${ended.code}: ${ended.stderr}`);
  }
  return weightsSha256;
}
