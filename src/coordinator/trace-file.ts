/** A run as a Chrome trace: for chrome://tracing and https://ui.perfetto.dev. */

import { closeSync, ftruncateSync, openSync, statSync, write, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { LockstepError, messageOf } from "../shared/errors.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { formatCount } from "../shared/format.ts";
import { makeFolder } from "./run-directory.ts";
import type { CoordinatorPhase, StepTrace, TaskTimes } from "./step-clock.ts";
import { WorkerTimeline } from "./worker-timeline.ts";

const writeTo = promisify(write);

/** About 15 MB, and 3,000 steps of two workers: what a viewer still opens with ease. */
const MAX_EVENTS = 100_000;
/** Events wait for company up to this size. */
const BUFFER_CHARACTERS = 65_536;

/** The object form of the format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
const HEAD = '{"displayTimeUnit":"ms","traceEvents":[\n';
const TAIL = "\n]}\n";

/** Chrome's processes and threads: one process for the coordinator and one a worker, whose messages have their own row. */
const COORDINATOR = 1;
const WORK_ROW = 1;
const WIRE_ROW = 2;

export interface TraceFileOptions {
  readonly path: string;
  /** The time of the coordinator's clock at which the trace begins, in ms. */
  readonly startMs: number;
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

/**
 * Writes what the coordinator and its workers did, and when, to a file. The run never waits for the file, which is whole
 * after each write: the next one begins where the closing brackets of the last one stood.
 */
export class TraceFile implements StepTrace {
  readonly #path: string;
  readonly #startMs: number;
  readonly #warn: (message: string) => void;
  readonly #fd: number;
  readonly #tracks = new Map<string, Track>();
  readonly #maxEvents: number;
  #events = 0;
  /** The coordinator's last span, in case it goes on. */
  #span: CoordinatorSpan | undefined;
  /** Each event begins with a comma, for the one before it. */
  #buffer = "";
  /** Where the closing brackets stand. */
  #position: number;
  #writing: Promise<void> | undefined;
  #hasEnded = false;

  /**
   * Makes the file, over any that is there.
   * @throws LockstepError `usage` when it cannot be written
   */
  constructor({ path, startMs, warn, maxEvents = MAX_EVENTS }: TraceFileOptions) {
    this.#path = path;
    this.#startMs = startMs;
    this.#warn = warn;
    this.#maxEvents = maxEvents;
    const names = [
      nameOf("process", COORDINATOR, 0, "coordinator"),
      nameOf("thread", COORDINATOR, WORK_ROW, "decide, reduce, adam, send"),
    ];
    const head = HEAD + names.join(",\n");
    this.#position = head.length;
    this.#fd = create(path, head + TAIL);
  }

  /** Takes the names of workers. */
  record(event: TrainingEvent): void {
    if (event.type !== "worker-joined" || this.#hasEnded) return;
    this.#addTrack(event.worker, `${event.worker} (${event.engine}, host ${event.host}, pid ${event.pid})`);
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
    await this.#writing;
    await this.#flush();
    closeSync(this.#fd);
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
    this.#buffer += `,\n${event}`;
    if (this.#buffer.length >= BUFFER_CHARACTERS) this.#writing ??= this.#flush();
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    try {
      while (this.#buffer !== "") {
        const events = Buffer.from(this.#buffer);
        this.#buffer = "";
        const bytes = Buffer.concat([events, Buffer.from(TAIL)]);
        for (let done = 0; done < bytes.length;) {
          done += (await writeTo(this.#fd, bytes, done, bytes.length - done, this.#position + done)).bytesWritten;
        }
        this.#position += events.length;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = undefined;
  }

  /** A full disk costs the rest of the trace, not the training. */
  #fail(error: unknown): void {
    this.#hasEnded = true;
    this.#buffer = "";
    this.#warn(`cannot write the trace ${this.#path} any more: ${messageOf(error)}`);
    try {
      ftruncateSync(this.#fd, this.#position);
      writeSync(this.#fd, TAIL, this.#position);
    } catch {
      // It has been said.
    }
  }
}

function create(path: string, content: string): number {
  let fd: number | undefined;
  try {
    makeFolder(dirname(path));
    // Opening a pipe would wait for its reader.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new Error("it is not a regular file");
    fd = openSync(path, "w");
    writeSync(fd, content);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw new LockstepError("usage", `cannot write --trace ${path}: ${messageOf(error)}; choose another file`, {
      cause: error,
    });
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
