/** A run as a Chrome trace: for chrome://tracing and https://ui.perfetto.dev. */

import { systemClock } from "../shared/clock.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { formatCount } from "../shared/format.ts";
import { BackgroundFile } from "./background-file.ts";
import { Narrative } from "./log/narrative.ts";
import type { CoordinatorPhase, StepTrace, TaskTimes } from "./step-clock.ts";
import { WorkerTimeline } from "./worker-timeline.ts";

/** About 15 MB, and 3,000 steps of two workers: what a viewer still opens with ease. */
const MAX_EVENTS = 100_000;

/** The object form of the format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
const HEAD = '{"displayTimeUnit":"ms","traceEvents":[\n';
const TAIL = "\n]}\n";

/** Steps have spans, and results may be rejected with each of them. The others are no moments of a run. */
const UNMARKED: readonly TrainingEvent["type"][] = ["step", "rejected", "monitoring", "listening"];

/** Chrome's processes and threads: one process for the coordinator and one a worker, whose messages have their own row. */
const COORDINATOR = 1;
const WORK_ROW = 1;
const WIRE_ROW = 2;

export interface TraceFileOptions {
  readonly path: string;
  /** The time of the coordinator's clock at which the trace begins, in ms. */
  readonly startMs: number;
  /** The coordinator's clock, in ms; the system's if not given. */
  readonly now?: () => number;
  readonly maxEvents?: number;
  /** Told once when the trace ends before the run does. */
  readonly warn: (message: string) => void;
}

interface Track {
  readonly pid: number;
  readonly timeline: WorkerTimeline;
}

interface CoordinatorSpan {
  readonly phase: CoordinatorPhase;
  readonly step: number;
  readonly startMs: number;
  endMs: number;
}

/** Writes what the coordinator and its workers did, and when, to a file that is a whole trace at any time. */
export class TraceFile implements StepTrace {
  readonly #path: string;
  readonly #startMs: number;
  readonly #now: () => number;
  readonly #narrative = new Narrative({ workersByHand: false });
  readonly #warn: (message: string) => void;
  readonly #file: BackgroundFile;
  readonly #tracks = new Map<string, Track>();
  readonly #maxEvents: number;
  #events = 0;
  /** The coordinator's last span, in case it goes on. */
  #span: CoordinatorSpan | undefined;
  #hasEnded = false;

  /**
   * Makes the file, over any that is there.
   * @throws LockstepError `usage` when it cannot be written
   */
  constructor({ path, startMs, now = () => systemClock.now(), warn, maxEvents = MAX_EVENTS }: TraceFileOptions) {
    this.#path = path;
    this.#startMs = startMs;
    this.#now = now;
    this.#warn = warn;
    this.#maxEvents = maxEvents;
    const names = [
      nameOf("process", COORDINATOR, 0, "coordinator"),
      nameOf("thread", COORDINATOR, WORK_ROW, "decide, reduce, adam, send"),
    ];
    const head = HEAD + names.join(",\n");
    this.#file = new BackgroundFile({ path, option: "--trace", what: "the trace", head, tail: TAIL, warn });
  }

  /** Marks the moment, under the event's name in the log and with the same sentence; takes the names of workers. */
  record(event: TrainingEvent): void {
    if (this.#hasEnded || UNMARKED.includes(event.type)) return;
    if (event.type === "worker-joined") {
      this.#addTrack(event.worker, `${event.worker} (${event.engine}, host ${event.host}, pid ${event.pid})`);
    }
    for (const { event: name, text, worker } of this.#narrative.tell(event)) {
      if (name === "summary") continue;
      const pid = (worker === undefined ? undefined : this.#tracks.get(worker)?.pid) ?? COORDINATOR;
      const ts = micros(this.#now() - this.#startMs);
      const args = JSON.stringify({ msg: text });
      this.#add(`{"name":"${name}","ph":"i","s":"p","ts":${ts},"pid":${pid},"tid":${WORK_ROW},"args":${args}}`);
    }
  }

  coordinator(phase: CoordinatorPhase, step: number, startMs: number, endMs: number): void {
    if (this.#hasEnded) return;
    const span = this.#span;
    if (span?.phase === phase && span.endMs === startMs && span.step === step) {
      span.endMs = endMs;
      return;
    }
    this.#addCoordinatorSpan();
    this.#span = { phase, step, startMs, endMs };
  }

  task(step: number, times: TaskTimes): void {
    if (this.#hasEnded) return;
    const { pid, timeline } = this.#tracks.get(times.worker) ?? this.#addTrack(times.worker, times.worker);
    for (const { phase, startMs, endMs } of timeline.place(times)) {
      this.#addSpan(phase, step, pid, phase === "wire" ? WIRE_ROW : WORK_ROW, startMs, endMs);
    }
  }

  /** Writes what is still buffered. */
  async close(): Promise<void> {
    this.#addCoordinatorSpan();
    this.#hasEnded = true;
    await this.#file.close();
  }

  #addTrack(worker: string, label: string): Track {
    const track = { pid: COORDINATOR + 1 + this.#tracks.size, timeline: new WorkerTimeline(this.#startMs) };
    this.#tracks.set(worker, track);
    this.#add(nameOf("process", track.pid, 0, label));
    this.#add(nameOf("thread", track.pid, WORK_ROW, "gather, compute, wait"));
    this.#add(nameOf("thread", track.pid, WIRE_ROW, "wire"));
    return track;
  }

  #addCoordinatorSpan(): void {
    if (this.#span === undefined) return;
    const { phase, step, startMs, endMs } = this.#span;
    this.#span = undefined;
    if (endMs > startMs) this.#addSpan(phase, step, COORDINATOR, WORK_ROW, startMs, endMs);
  }

  #addSpan(name: string, step: number, pid: number, tid: number, startMs: number, endMs: number): void {
    const ts = micros(startMs - this.#startMs);
    const dur = micros(endMs - startMs);
    // Steps count from 1 wherever people see them.
    this.#add(
      `{"name":"${name}","ph":"X","ts":${ts},"dur":${dur},"pid":${pid},"tid":${tid},"args":{"step":${step + 1}}}`,
    );
  }

  #add(event: string): void {
    if (this.#hasEnded) return;
    if (this.#events === this.#maxEvents) {
      this.#hasEnded = true;
      this.#warn(
        `the trace ${this.#path} has ${formatCount(this.#maxEvents)} events; the rest of the run is not recorded`,
      );
      return;
    }
    this.#events += 1;
    // For the event before it.
    this.#file.add(`,\n${event}`);
  }
}

/** An event that names a process or a thread. */
function nameOf(what: "process" | "thread", pid: number, tid: number, name: string): string {
  return `{"name":"${what}_name","ph":"M","pid":${pid},"tid":${tid},"args":${JSON.stringify({ name })}}`;
}

/** To a tenth of a microsecond. */
function micros(ms: number): number {
  return Math.round(ms * 10_000) / 10;
}
