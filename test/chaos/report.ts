import type { FaultKind } from "./fault-kinds.ts";
import type { FaultCount } from "./injector.ts";
import type { Pause } from "./step-pauses.ts";

/** What became of one run. */
export interface RunReport {
  readonly variant: string;
  readonly seconds: number;
  /** Committed in all lives of the coordinator together; one that was done again counts again. */
  readonly steps: number;
  readonly restarts: number;
  readonly expectedSha256: string;
  /** Null when there was no result. */
  readonly weightsSha256?: string | null;
  readonly samplesLost?: number | null;
  readonly processesLeft: number;
  readonly longestPause: Pause;
  readonly longestPauseBy: Readonly<Partial<Record<FaultKind, number>>>;
  /** Sentences: what is not as promised. */
  readonly violations: readonly string[];
}

/** What became of all runs of one `npm run chaos`. */
export interface ChaosReport {
  readonly passed: boolean;
  readonly seed: number;
  readonly isolation: string;
  readonly faults: number;
  readonly faultsByKind: Readonly<Record<string, FaultCount & { readonly longestPauseMs: number }>>;
  readonly runs: readonly RunReport[];
  readonly steps: number;
  readonly restarts: number;
  /** Null when a run did not say. */
  readonly samplesLost: number | null;
  readonly processesLeft: number;
  readonly longestPause: Pause;
  readonly violations: readonly string[];
}

/** Adds up. Pure. */
export function reportOf(
  { seed, isolation }: { readonly seed: number; readonly isolation: string },
  runs: readonly RunReport[],
  counts: ReadonlyMap<FaultKind, FaultCount>,
): ChaosReport {
  const sum = (of: (run: RunReport) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const faultsByKind = Object.fromEntries(
    [...counts].map(([kind, count]) => {
      const longestPauseMs = Math.max(0, ...runs.map(({ longestPauseBy }) => longestPauseBy[kind] ?? 0));
      return [kind, { ...count, longestPauseMs: Math.round(longestPauseMs) }];
    }),
  );
  const violations = runs.flatMap((run, i) => run.violations.map((what) => `run ${i + 1} (${run.variant}): ${what}`));
  return {
    passed: violations.length === 0 && runs.length > 0,
    ...{ seed, isolation, faultsByKind, runs, violations },
    faults: [...counts.values()].reduce((total, { done }) => total + done, 0),
    steps: sum(({ steps }) => steps),
    restarts: sum(({ restarts }) => restarts),
    samplesLost: runs.every(({ samplesLost }) => typeof samplesLost === "number")
      ? sum(({ samplesLost }) => samplesLost ?? 0)
      : null,
    processesLeft: sum(({ processesLeft }) => processesLeft),
    longestPause: runs
      .map(({ longestPause }) => longestPause)
      .reduce((a, b) => (b.ms > a.ms ? b : a), {
        ms: 0,
        causes: [],
      }),
  };
}

/** For people. */
export function reportText(report: ChaosReport): string {
  const { runs, faultsByKind, longestPause, violations } = report;
  const rows = Object.entries(faultsByKind)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, { done, passedOver, longestPauseMs }]) => {
      const rest = passedOver === 0 ? "" : `, ${passedOver} not possible`;
      return `  ${kind.padEnd(32)} ${String(done).padStart(4)}   longest pause ${secondsOf(longestPauseMs)}${rest}`;
    });
  const causes = longestPause.causes.length === 0 ? "no fault" : longestPause.causes.join(", ");
  const equal = runs.filter(({ weightsSha256, expectedSha256 }) => weightsSha256 === expectedSha256).length;
  return [
    `Faults survived: ${report.faults}`,
    ...rows,
    `Runs: ${runs.length}, steps: ${report.steps}, coordinator restarts: ${report.restarts}`,
    `Samples lost: ${report.samplesLost ?? "unknown"}`,
    `Weights equal to the undisturbed run's: ${equal} of ${runs.length} runs`,
    ...runs.map(({ variant, weightsSha256 }, i) => `  run ${i + 1} (${variant}): ${weightsSha256 ?? "none"}`),
    `Longest time without a step: ${secondsOf(longestPause.ms)}, with ${causes}`,
    `Processes left behind: ${report.processesLeft}`,
    ...(violations.length === 0 ? ["All as promised"] : ["NOT AS PROMISED:", ...violations.map((what) => `  ${what}`)]),
  ].join("\n");
}

const secondsOf = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
