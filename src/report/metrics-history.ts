/** What `metrics.ndjson` tells of a run, summed up for its charts and tables. Pure: told one line after another. */

import { z } from "zod";
import { Buckets } from "./buckets.ts";
import type { Point } from "./line-chart.ts";

export interface EpochRow {
  readonly epoch: number;
  readonly trainLoss: number | null;
  readonly trainAccuracy: number | null;
  readonly testAccuracy: number | null;
  readonly testErrors: number | null;
  /** Null where no images are held out for validation. */
  readonly validationAccuracy: number | null;
  readonly validationErrors: number | null;
  readonly samplesPerSecond: number | null;
}

/** Means over the steps that were logged, in ms; workers' over all workers' parts in them. */
export interface MeanPhases {
  readonly steps: number;
  readonly stepMs: number;
  readonly worker: Readonly<Record<WorkerPhase, number>>;
  readonly coordinator: Readonly<Record<CoordinatorPhase, number>>;
}

type WorkerPhase = "waitMs" | "gatherMs" | "computeMs" | "wireMs";
type CoordinatorPhase = "decideMs" | "reduceMs" | "adamMs" | "sendMs" | "tailMs";

/** Up to here the run is told: what was logged of later steps is not in the checkpoint. */
export interface HistoryEnd {
  readonly step: number;
  readonly evaluatedEpochs: number;
  readonly stepsPerEpoch: number;
}

/** More epochs than this are not listed one by one. */
const MAX_ROWS = 10_000;

// JSON has null for numbers that are not finite.
const measured = z.number().nullable();
const ms = z.number();

const step = z.object({
  type: z.literal("step"),
  step: z.int().min(1),
  loss: measured,
  learningRate: measured,
  samples: z.number(),
  stepMs: ms,
  phases: z.object({
    workers: z.array(z.object({ waitMs: ms, gatherMs: ms, computeMs: ms, wireMs: ms })),
    coordinator: z.object({ decideMs: ms, reduceMs: ms, adamMs: ms, sendMs: ms, tailMs: ms }),
  }),
});

const epoch = z.object({
  type: z.literal("epoch"),
  epoch: z.int().min(1),
  trainLoss: measured,
  trainAccuracy: measured,
  testAccuracy: measured,
  testErrors: measured,
  // Lines of earlier versions lack these.
  validationAccuracy: measured.default(null),
  validationErrors: measured.default(null),
  samplesPerSecond: measured,
});

const line = z.discriminatedUnion("type", [step, epoch]);
type StepLine = z.infer<typeof step>;

export class MetricsHistory {
  readonly #end: HistoryEnd;
  readonly #loss: Buckets;
  readonly #learningRate: Buckets;
  readonly #speed: Buckets;
  readonly #epochs = new Map<number, EpochRow>();
  #later = 0;
  #steps = 0;
  #parts = 0;
  readonly #sums = {
    stepMs: 0,
    worker: { waitMs: 0, gatherMs: 0, computeMs: 0, wireMs: 0 },
    coordinator: { decideMs: 0, reduceMs: 0, adamMs: 0, sendMs: 0, tailMs: 0 },
  };

  constructor(end: HistoryEnd) {
    this.#end = end;
    const xMax = end.step / end.stepsPerEpoch;
    [this.#loss, this.#learningRate, this.#speed] = [new Buckets(xMax), new Buckets(xMax), new Buckets(xMax)];
  }

  /** @returns what is wrong with the line, as a part of a sentence; undefined when it was taken */
  add(text: string): string | undefined {
    let found: unknown;
    try {
      found = JSON.parse(text);
    } catch {
      return "it is not JSON";
    }
    const { success, data, error } = line.safeParse(found);
    if (!success) {
      const [issue] = error.issues;
      return [...(issue?.path ?? []), issue?.message].join(": ");
    }
    if (data.type === "step") this.#addStep(data);
    else if (data.epoch > this.#end.evaluatedEpochs) this.#later += 1;
    else if (this.#epochs.size < MAX_ROWS) this.#epochs.set(data.epoch, data);
    return undefined;
  }

  /** Lines that tell of what came after the end. */
  get later(): number {
    return this.#later;
  }

  /** By epoch; of one that is there twice, the last. */
  epochs(): EpochRow[] {
    return [...this.#epochs.values()].sort((a, b) => a.epoch - b.epoch);
  }

  /** Values of an epoch, at its end. */
  epochPoints(value: (row: EpochRow) => number | null): Point[] {
    const all = new Buckets(this.#end.step / this.#end.stepsPerEpoch);
    for (const row of this.epochs()) all.add(row.epoch, value(row) ?? NaN);
    return all.points();
  }

  lossPoints(): Point[] {
    return this.#loss.points();
  }

  learningRatePoints(): Point[] {
    return this.#learningRate.points();
  }

  /** Images a second, by single steps. */
  speedPoints(): Point[] {
    return this.#speed.points();
  }

  /** Undefined where no step was logged. */
  phases(): MeanPhases | undefined {
    const [steps, parts] = [this.#steps, Math.max(1, this.#parts)];
    if (steps === 0) return undefined;
    const { stepMs, worker, coordinator } = this.#sums;
    return { steps, stepMs: stepMs / steps, worker: divided(worker, parts), coordinator: divided(coordinator, steps) };
  }

  #addStep({ step: number, loss, learningRate, samples, stepMs, phases }: StepLine): void {
    if (number > this.#end.step) {
      this.#later += 1;
      return;
    }
    const x = number / this.#end.stepsPerEpoch;
    this.#loss.add(x, loss ?? NaN);
    this.#learningRate.add(x, learningRate ?? NaN);
    this.#speed.add(x, stepMs > 0 ? (samples / stepMs) * 1000 : NaN);
    this.#steps += 1;
    this.#parts += phases.workers.length;
    this.#sums.stepMs += stepMs;
    for (const part of phases.workers) addTo(this.#sums.worker, part);
    addTo(this.#sums.coordinator, phases.coordinator);
  }
}

function addTo<Key extends string>(sums: Record<Key, number>, values: Readonly<Record<Key, number>>): void {
  for (const key of Object.keys(sums) as Key[]) sums[key] += values[key];
}

function divided<Key extends string>(sums: Readonly<Record<Key, number>>, by: number): Record<Key, number> {
  const entries = (Object.entries(sums) as [Key, number][]).map(([key, sum]) => [key, sum / by]);
  return Object.fromEntries(entries) as Record<Key, number>;
}
