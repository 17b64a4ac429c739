/** A run as it is compared with others. */

/** How a run ended, as far as its files tell. */
export type RunEnding =
  | { readonly type: "complete" }
  | { readonly type: "interrupted"; readonly signal: string }
  | { readonly type: "failed"; readonly message: string }
  /** It was killed, or goes on. */
  | { readonly type: "unfinished" };

/** What came of a run; null where its files do not tell. */
export interface RunFigures {
  /** After the last epoch, 0 to 1. */
  readonly testAccuracy: number | null;
  readonly bestTestAccuracy: number | null;
  /** The first epoch that had it. */
  readonly bestEpoch: number | null;
  /** Mean over the last epoch's samples, in nats. */
  readonly trainLoss: number | null;
  readonly epochs: number;
  /** Of training and evaluation, all starts of the run together. */
  readonly seconds: number | null;
  readonly samplesPerSecond: number | null;
  readonly engine: string | null;
  readonly weightsSha256: string | null;
}

/** What was measured after an epoch. */
export interface CoursePoint {
  /** From 1. */
  readonly epoch: number;
  /** Of training up to then, without the time between two starts. */
  readonly seconds: number | null;
  readonly testAccuracy: number | null;
  readonly trainLoss: number | null;
}

export interface ComparedRun {
  /** Unique among the runs that are compared. */
  readonly name: string;
  readonly runDir: string;
  readonly ending: RunEnding;
  /** Of `config.json`, by key, as far as they can be compared. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly figures: RunFigures;
  /** By epoch. */
  readonly course: readonly CoursePoint[];
  /** Sentences: what could not be used. */
  readonly notes: readonly string[];
}

/** A folder that could not be read as a run, and why, as a part of a sentence. */
export interface LeftOutRun {
  readonly runDir: string;
  readonly problem: string;
}
