import { find, type Labels, type SuiteReport, type Unit } from "../../src/bench/report.ts";
import { median, ratios, summarise, type Summary } from "../../src/bench/statistics.ts";
import { type Column, formatFigure, markdownTable } from "../../src/bench/table.ts";
import type { BenchSuite } from "../../src/shared/config.ts";
import { PYTORCH } from "./peers/pytorch.ts";

/** What lockstep is meant to reach, and whether it did: computed from the reports of one run. */

export interface Target {
  readonly what: string;
  readonly goal: number;
  readonly bound: "at least" | "at most";
  readonly unit: Unit | "x";
  /** Absent when it was not measured. */
  readonly measured?: Summary;
  readonly verdict: "pass" | "miss" | "not measured";
}

const BATCH_SIZES = [64, 256, 1024] as const;

/** What the memory suite calls a process that is all of them. */
const TOGETHER = "coordinator and workers";

const IN_PROCESS = { trainer: "in-process" };
const THREADS = { trainer: "thread", workers: 2 };
const PROCESSES = { trainer: "process", workers: 2 };

/** Ratios of training rates, with a goal for each batch size; `over` a trainer, or PyTorch's best at that batch size. */
const TRAINING_RATIOS: readonly {
  readonly what: string;
  readonly of: Labels;
  readonly over: Labels | "PyTorch's best";
  readonly goals: readonly number[];
}[] = [
  {
    what: "1 in-process worker / PyTorch on 1 thread",
    of: IN_PROCESS,
    over: { trainer: PYTORCH.oneThread },
    goals: [1.95, 1.8, 2.9],
  },
  { what: "2 thread workers / 1 in-process", of: THREADS, over: IN_PROCESS, goals: [1.65, 1.93, 1.9] },
  { what: "2 process workers / 1 in-process", of: PROCESSES, over: IN_PROCESS, goals: [1.3, 1.65, 1.8] },
  { what: "2 thread workers / PyTorch DDP", of: THREADS, over: { trainer: PYTORCH.distributed }, goals: [5, 3.4, 2.3] },
  { what: "2 thread workers / PyTorch's best", of: THREADS, over: "PyTorch's best", goals: [3.2, 3.4, 2.3] },
  {
    what: "2 process workers / PyTorch DDP",
    of: PROCESSES,
    over: { trainer: PYTORCH.distributed },
    goals: [3.8, 2.9, 2.2],
  },
];

export function evaluateTargets(reports: readonly SuiteReport[]): Target[] {
  const report = (suite: BenchSuite): SuiteReport | undefined => reports.find((each) => each.suite === suite);
  const [training, exchange] = [report("training"), report("exchange")];
  const [timing, memory] = [report("time-to-accuracy"), report("memory")];

  const trainingRatios = TRAINING_RATIOS.flatMap(({ what, of, over, goals }) =>
    BATCH_SIZES.map((batch, i) => {
      const others = over === "PyTorch's best" ? bestOf(training, batch) : find(training, { batch, ...over })?.rounds;
      const figures = ratios(find(training, { batch, ...of })?.rounds ?? [], others ?? []);
      return target(`${what}, batch ${batch}`, "at least", goals[i] ?? NaN, "x", figures);
    }),
  );
  const exchangeMs = (workers: number): readonly number[] =>
    find(exchange, { workers, through: "lockstep, processes" })?.rounds ?? [];
  const seconds = (until: string, recipe = "seed"): readonly number[] => find(timing, { recipe, until })?.rounds ?? [];
  const peaks = memory?.measurements.filter(({ of }) => of["when"] === "peak") ?? [];
  const peakOf = (together: boolean): readonly number[] => {
    const chosen = peaks.filter(({ of }) => (of["process"] === TOGETHER) === together).flatMap(({ rounds }) => rounds);
    return chosen.length > 0 ? [Math.max(...chosen)] : [];
  };
  return [
    ...trainingRatios,
    target("step of 2 workers that compute nothing", "at most", 0.35, "ms", exchangeMs(2)),
    // Eight times the workers, so at most eight times the time.
    target("the same, 16 workers / 2 workers", "at most", 8, "x", ratios(exchangeMs(16), exchangeMs(2))),
    target("seed recipe, 10 epochs, from start to end", "at most", 18, "s", seconds("end")),
    target("fast recipe, training alone", "at most", 5, "s", seconds("end, without the start", "fast")),
    target("first step done after the start", "at most", 1, "s", seconds("first step done")),
    // The largest counts: all must stay below.
    target("peak memory of a coordinator or a worker", "at most", 200, "MB", peakOf(false)),
    target("the same, a coordinator with 2 workers as threads", "at most", 600, "MB", peakOf(true)),
  ];
}

/** The rounds of whichever way to train with PyTorch is the fastest. */
function bestOf(training: SuiteReport | undefined, batch: number): readonly number[] {
  const ways = Object.values(PYTORCH).map((trainer) => find(training, { batch, trainer })?.rounds ?? []);
  const [best = []] = ways.filter((rounds) => rounds.length > 0).toSorted((a, b) => median(b) - median(a));
  return best;
}

function target(
  what: string,
  bound: Target["bound"],
  goal: number,
  unit: Target["unit"],
  figures: readonly number[],
): Target {
  const measured = summarise(figures);
  if (measured === undefined) return { what, goal, bound, unit, verdict: "not measured" };
  const reached = bound === "at least" ? measured.median >= goal : measured.median <= goal;
  return { what, goal, bound, unit, measured, verdict: reached ? "pass" : "miss" };
}

export function targetsMarkdown(targets: readonly Target[]): string {
  const columns: Column[] = [
    { title: "target", align: "left" },
    { title: "goal", align: "right" },
    { title: "measured", align: "right" },
    { title: "min-max", align: "right" },
    { title: "verdict", align: "left" },
  ];
  const rows = targets.map(({ what, goal, bound, unit, measured, verdict }) => {
    const figure = (value: number): string =>
      unit === "x" ? `${value.toFixed(2)} x` : `${formatFigure(value, unit)} ${unit}`;
    const shown =
      measured === undefined
        ? ["", ""]
        : [figure(measured.median), `${figure(measured.min)} - ${figure(measured.max)}`];
    return [what, `${bound} ${figure(goal)}`, ...shown, verdict];
  });
  return `## targets\n\n${markdownTable(columns, rows)}`;
}
