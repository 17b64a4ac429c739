import type { BenchSuite } from "../shared/config.ts";
import { ratios, summarise, type Summary } from "./statistics.ts";

/** What a suite has measured. */
export interface SuiteReport {
  readonly suite: BenchSuite;
  readonly title: string;
  readonly unit: Unit;
  /** What `Measurement.ratios` are ratios to, in words. */
  readonly baseline?: string;
  /** Sentences below the table. */
  readonly notes: readonly string[];
  readonly measurements: readonly Measurement[];
}

export type Unit = "images/s" | "µs" | "ms" | "s" | "MB";

export interface Measurement {
  /** What tells it from the suite's others: `{ engine: "wasm", shard: 32 }`. */
  readonly of: Labels;
  /** A figure for each round, in the suite's unit; empty where it cannot be had. */
  readonly rounds: readonly number[];
  /** Each round's figure over the baseline's in the same round. */
  readonly ratios?: readonly number[];
}

export type Labels = Readonly<Record<string, string | number>>;

/** Pairs candidates' labels with their figures. @param baseline index of the candidate that the others are compared to */
export function measurementsOf(
  labels: readonly Labels[],
  figures: readonly (readonly number[])[],
  baseline?: number,
): Measurement[] {
  return labels.map((of, i) => {
    const rounds = figures[i] ?? [];
    const base = baseline === undefined || baseline === i ? undefined : figures[baseline];
    return base === undefined ? { of, rounds } : { of, rounds, ratios: ratios(rounds, base) };
  });
}

/** The measurement with these labels, if there is one that was taken. */
export function find(report: SuiteReport | undefined, labels: Labels): Measurement | undefined {
  return report?.measurements.find(
    ({ of, rounds }) => rounds.length > 0 && Object.entries(labels).every(([key, value]) => of[key] === value),
  );
}

/** A report as plain JSON, with each measurement summed up. */
export function reportJson({ measurements, ...rest }: SuiteReport): Record<string, unknown> {
  const summed = measurements.map((measurement): Measurement & { summary?: Summary; ratio?: Summary } => {
    const summary = summarise(measurement.rounds);
    const ratio = summarise(measurement.ratios ?? []);
    return { ...measurement, ...(summary && { summary }), ...(ratio && { ratio }) };
  });
  return { ...rest, measurements: summed };
}
