import { LockstepError, messageOf } from "../../shared/errors.ts";
import type { Evaluation, TrainingEvent, TrainingResult } from "../../shared/events.ts";
import { Throughput } from "../throughput.ts";
import { Curves, type CurvesMark } from "./curves.ts";
import { EventLines } from "./event-lines.ts";
import { LiveWorkers, type PresentWorker } from "./live-workers.ts";
import type { End, LiveResult, LiveState, Phase, Snapshot, Update } from "./page/protocol.ts";

export interface LiveRunOptions {
  /** The name of the run's folder; empty while there is none. */
  readonly runName: () => string;
  /** The workers that are there. */
  readonly workers: () => readonly PresentWorker[];
  /** Milliseconds of any one clock that never runs backwards, such as `performance.now`. */
  readonly now: () => number;
  /** Unix time in ms, such as `Date.now`. */
  readonly unixNow: () => number;
}

type Started = Extract<TrainingEvent, { type: "started" }>;
type Step = Extract<TrainingEvent, { type: "step" }>;
type Epoch = Extract<TrainingEvent, { type: "epoch" }>;

/** How much of a run somebody has been told. */
export interface Mark {
  readonly curves: CurvesMark;
  readonly events: number;
}

/** A run as the live page shows it, in bounded memory. `record` only adds to numbers; the rest is done when asked for. */
export class LiveRun {
  readonly #options: LiveRunOptions;
  readonly #curves = new Curves();
  readonly #workers = new LiveWorkers();
  readonly #events = new EventLines();
  #phase: Phase = "starting";
  #note = "";
  #started: Started | undefined;
  #startedAt = 0;
  #step: Step | undefined;
  #lastStepAt = 0;
  #epoch: Epoch | undefined;
  #evaluation: Evaluation | undefined;
  #bestEpoch: number | undefined;
  #evaluationMs = 0;
  #throughput = new Throughput(0);
  #ready = 0;
  #lost = 0;
  #result: TrainingResult | undefined;
  #endedAt: number | undefined;

  constructor(options: LiveRunOptions) {
    this.#options = options;
  }

  record(event: TrainingEvent): void {
    this.#events.record(event, this.#options.unixNow());
    switch (event.type) {
      case "started":
        this.#started = event;
        this.#startedAt = this.#lastStepAt = this.#options.now();
        this.#throughput = new Throughput(this.#startedAt);
        this.#ready = event.workers;
        return this.#enter("training");
      case "step":
        return this.#stepDone(event);
      case "epoch":
        this.#epoch = event;
        if (event.isBest) this.#bestEpoch = event.epoch;
        this.#curves.epoch(event);
        this.#evaluated(event);
        return this.#enter("training");
      case "end-evaluated":
        this.#curves.end(event);
        return this.#evaluated(event);
      case "worker-joined":
        this.#ready = event.workers;
        return this.#workers.joined(event);
      case "worker-left":
        this.#ready = event.workers;
        if (event.lost) this.#lost += 1;
        return this.#workers.left(event);
      case "worker-late":
        return this.#workers.late(event);
      case "waiting":
        this.#ready = event.workers;
        return this.#enter("waiting", `${event.workers} of ${event.minWorkers} workers are ready.`);
      case "finished":
        this.#result = event.result;
        this.#endedAt = this.#options.now();
        return this.#enter(event.result.interruptedBy === undefined ? "finished" : "interrupted");
      case "resumed":
        this.#bestEpoch = event.bestEpoch ?? undefined;
        return;
      case "monitoring":
      case "listening":
      case "workers-chosen":
      case "rejected":
      case "connection-refused":
      case "checkpoint":
      case "checkpoint-failed":
      case "warning":
        return;
      default:
        event satisfies never;
    }
  }

  /** The run has ended with an error. */
  fail(thrown: unknown): void {
    const message = messageOf(thrown);
    const note = thrown instanceof LockstepError ? message : `It failed unexpectedly: ${message}`;
    this.#endedAt = this.#options.now();
    this.#events.add("bad", `The run failed: ${message}`, this.#options.unixNow());
    this.#enter("failed", note);
  }

  snapshot(): Snapshot {
    return {
      state: this.#state(),
      steps: this.#curves.steps(),
      epochs: this.#curves.epochs(),
      workers: this.#workers.rows(this.#options.workers()),
      events: this.#events.lines(),
    };
  }

  get mark(): Mark {
    return { curves: this.#curves.mark, events: this.#events.revision };
  }

  /** What has changed since `mark`; undefined when only a snapshot can tell, as points were merged. */
  update({ curves, events }: Mark): Update | undefined {
    const { stride, epochs } = this.#curves.mark;
    if (stride !== curves.stride) return undefined;
    // The last point may have changed.
    const from = Math.max(0, curves.points - 1);
    return {
      state: this.#state(),
      steps: { from, ...this.#curves.steps(from) },
      ...(epochs === curves.epochs ? {} : { epochs: this.#curves.epochs() }),
      workers: this.#workers.rows(this.#options.workers()),
      ...(events === this.#events.revision ? {} : { events: this.#events.lines() }),
    };
  }

  /** Differs whenever something has changed that no event tells. */
  drift(): string {
    const samplesPerSecond = Math.round(this.#samplesPerSecond() ?? 0);
    return JSON.stringify([samplesPerSecond, this.#workers.rows(this.#options.workers())]);
  }

  end(): End {
    return { state: this.#state(), result: this.#result === undefined ? null : liveResult(this.#result) };
  }

  #enter(phase: Phase, note = ""): void {
    this.#phase = phase;
    this.#note = note;
  }

  #stepDone(event: Step): void {
    const now = this.#options.now();
    this.#step = event;
    this.#curves.step(event, now - this.#lastStepAt);
    this.#lastStepAt = now;
    this.#ready = event.workers;
    this.#throughput.step(now, event.samples);
    this.#workers.step(event.phases.workers);
    this.#enter(event.stepInEpoch === this.#started?.stepsPerEpoch ? "evaluating" : "training");
  }

  #evaluated(evaluation: Evaluation): void {
    const now = this.#options.now();
    this.#evaluation = evaluation;
    this.#evaluationMs = now - this.#lastStepAt;
    this.#throughput.skip(now);
    this.#lastStepAt = now;
  }

  #state(): LiveState {
    const now = this.#endedAt ?? this.#options.now();
    const samplesPerSecond = this.#samplesPerSecond();
    const step = this.#step?.step ?? this.#started?.step ?? this.#result?.steps ?? 0;
    return {
      run: this.#options.runName(),
      phase: this.#phase,
      note: this.#note,
      step,
      totalSteps: this.#started?.totalSteps ?? this.#result?.steps ?? 0,
      epoch: this.#step?.epoch ?? this.#result?.epochs ?? 0,
      epochs: this.#started?.epochs ?? this.#result?.epochs ?? 0,
      loss: finite(this.#step?.loss),
      trainLoss: finite(this.#epoch?.trainLoss ?? this.#result?.trainLoss),
      testAccuracy: finite((this.#evaluation ?? this.#result)?.testAccuracy),
      validationAccuracy: finite((this.#evaluation ?? this.#result)?.validationAccuracy),
      bestEpoch: this.#bestEpoch ?? this.#result?.bestEpoch ?? null,
      samplesPerSecond,
      learningRate: finite(this.#step?.learningRate),
      workers: this.#ready,
      workersLost: this.#lost,
      elapsedSeconds: this.#started === undefined ? 0 : (now - this.#startedAt) / 1000,
      etaSeconds: this.#endedAt === undefined ? this.#etaSeconds(step, samplesPerSecond) : null,
    };
  }

  #samplesPerSecond(): number | null {
    if (this.#result !== undefined) return finite(this.#result.samplesPerSecond);
    return this.#step === undefined
      ? null
      : finite(this.#throughput.samplesPerSecond(this.#endedAt ?? this.#options.now()));
  }

  #etaSeconds(step: number, samplesPerSecond: number | null): number | null {
    if (this.#started === undefined || samplesPerSecond === null || samplesPerSecond === 0) return null;
    const { totalSteps, stepsPerEpoch, trainSamples } = this.#started;
    const stepsLeft = totalSteps - step;
    const samplesLeft = (stepsLeft * trainSamples) / stepsPerEpoch;
    const evaluationsLeft = Math.ceil(stepsLeft / stepsPerEpoch);
    return samplesLeft / samplesPerSecond + (evaluationsLeft * this.#evaluationMs) / 1000;
  }
}

function liveResult({ efficiency, ...result }: TrainingResult): LiveResult {
  const { testAccuracy, validationAccuracy, bestEpoch, trainLoss, epochs, steps, trainSeconds } = result;
  const { samplesPerSecond, engine, weightsSha256, checkpoint, samplesLost, samplesRepeated, runDir } = result;
  return {
    ...{ testAccuracy, validationAccuracy, bestEpoch, trainLoss, epochs, steps, trainSeconds, samplesPerSecond },
    ...{ engine, weightsSha256, checkpoint, samplesLost, samplesRepeated, limit: efficiency?.summary ?? "" },
    endedBy: result.endedBy ?? null,
    bestCheckpoint: bestEpoch === null ? "" : `${runDir}/checkpoints/best`,
  };
}

function finite(value: number | null | undefined): number | null {
  return value !== null && value !== undefined && Number.isFinite(value) ? value : null;
}
