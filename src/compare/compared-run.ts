/** A run as it is compared with others. */

/** How a run ended, as far as its files tell. */
export type RunEnding =
  | { readonly type: "complete" }
  /** Before all its epochs, as it was told to: for want of progress, or because its time was up. */
  | { readonly type: "early"; readonly by: "patience" | "time" }
  | { readonly type: "interrupted"; readonly signal: string }
  | { readonly type: "failed"; readonly message: string }
  /** It was killed, or goes on. */
  | { readonly type: "unfinished" };

/** What came of a run; null where its files do not tell. */
export interface RunFigures {
  /** After the last epoch, 0 to 1; with validation images, of the weights with the fewest errors on those. */
  readonly testAccuracy: number | null;
  /** Of the same weights; null without validation images. */
  readonly validationAccuracy: number | null;
  /** The epoch whose weights these are; null without validation images, and where they are those of an end amid an epoch. */
  readonly validationEpoch: number | null;
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
  readonly validationAccuracy: number | null;
  readonly trainLoss: number | null;
}

/** Whether a run did all that it was told to do. */
export function isDone({ type }: RunEnding): boolean {
  return type === "complete" || type === "early";
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
