/** `result.json`: what the end of a run leaves for whoever asks about it later. */

import { z } from "zod";
import type { TrainingResult } from "./events.ts";

/** What went wrong in a run without costing it anything, as counts. */
export interface Faults {
  readonly workersLost: number;
  readonly shardsReassigned: number;
  /** Times that a worker was late, so that others computed its shards as well. */
  readonly workersLate: number;
  readonly shardsLate: number;
  /** By reason. */
  readonly resultsRejected: Readonly<Record<string, number>>;
  readonly checkpointsFailed: number;
  /** Times that it was told that the run waits for workers. */
  readonly waits: number;
}

/** What workers computed on. */
export interface Device {
  readonly engine: string;
  readonly device: string;
  readonly runtime?: string | undefined;
  readonly driver?: string | undefined;
  /** Workers that joined with it, those that came again included. */
  readonly workers: number;
}

/** One start of a run, from the first or from where it was resumed, to its end in good order. */
export interface RunStart {
  /** ISO 8601, as all times here. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly resumedFrom: number | null;
  /** Steps done at its end, those before it included. */
  readonly steps: number;
  readonly trainSeconds: number;
  readonly interruptedBy?: string | undefined;
  readonly endedBy?: "patience" | "time" | undefined;
  readonly faults: Faults;
  readonly devices: readonly Device[];
}

/** The result with what else is known of the start that came to it, and of those before that ended in good order. */
export interface RunRecord extends TrainingResult, Pick<RunStart, "startedAt" | "endedAt" | "faults" | "devices"> {
  readonly software: {
    /** Null where it was not told. */
    readonly lockstep: string | null;
    readonly node: string;
    /** Operating system and processor: "linux x64". */
    readonly system: string;
  };
  /** The oldest first. */
  readonly earlier: readonly RunStart[];
}

const count = z.int().min(0);

const faults = z.object({
  workersLost: count,
  shardsReassigned: count,
  workersLate: count,
  shardsLate: count,
  resultsRejected: z.record(z.string(), count),
  checkpointsFailed: count,
  waits: count,
});

const device = z.object({
  engine: z.string(),
  device: z.string(),
  runtime: z.string().optional(),
  driver: z.string().optional(),
  workers: count,
});

const start = z.object({
  startedAt: z.string(),
  endedAt: z.string(),
  resumedFrom: count.nullable(),
  steps: count,
  trainSeconds: z.number(),
  interruptedBy: z.string().optional(),
  endedBy: z.enum(["patience", "time"]).optional(),
  faults,
  devices: z.array(device),
});

const share = z.number();

const efficiency = z.object({
  limitedBy: z.enum(["computing", "inputs", "exchange", "coordinator", "straggler", "shards", "imbalance"]),
  summary: z.string(),
  steps: count,
  workers: z.number(),
  workDone: z.number(),
  shares: z.object({
    ...{ computing: share, inputs: share, exchange: share, coordinator: share, imbalance: share, idle: share },
  }),
});

const record: z.ZodType<RunRecord> = z.object({
  testAccuracy: z.number().nullable(),
  testErrors: count.nullable(),
  // Those that earlier versions wrote lack these.
  validationAccuracy: z.number().nullable().default(null),
  validationErrors: count.nullable().default(null),
  bestEpoch: count.nullable().default(null),
  trainLoss: z.number().nullable(),
  epochs: count,
  steps: count,
  samples: count,
  samplesLost: count,
  samplesRepeated: count,
  resumedFrom: count.nullable(),
  trainSeconds: z.number(),
  wallSeconds: z.number(),
  samplesPerSecond: z.number(),
  workers: count,
  workersLost: count,
  shardsReassigned: count,
  engine: z.string(),
  weightsSha256: z.string(),
  runDir: z.string(),
  checkpoint: z.string(),
  efficiency: efficiency.nullable(),
  interruptedBy: z.enum(["SIGHUP", "SIGINT", "SIGTERM"]).exactOptional(),
  endedBy: z.enum(["patience", "time"]).exactOptional(),
  startedAt: z.string(),
  endedAt: z.string(),
  faults,
  devices: z.array(device),
  software: z.object({ lockstep: z.string().nullable(), node: z.string(), system: z.string() }),
  earlier: z.array(start),
});

/**
 * Checks what `result.json` holds.
 *
 * @returns the record, or what is wrong with it as a part of a sentence
 */
export function parseRunRecord(text: string): RunRecord | string {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  const { success, data, error } = record.safeParse(found);
  if (success) return data;
  const [issue] = error.issues;
  return [...(issue?.path ?? []), issue?.message ?? "it is no result"].join(": ");
}
