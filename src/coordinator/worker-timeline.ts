import type { WorkerPhase } from "./phase-totals.ts";
import type { TaskTimes } from "./step-clock.ts";

/** Something that a worker did, or waited for, on the coordinator's timeline. */
export interface WorkerSpan {
  readonly phase: WorkerPhase;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Places a worker's tasks on the coordinator's timeline. Pure.
 *
 * The clocks of two machines are never compared. A worker says how long it took for what, and the coordinator knows when
 * it sent the last thing that the task needs and when each result came. The task began after the one, and, by `held`,
 * early enough for every result to come when it did: it is placed in the middle between the two, as if messages took as
 * long one way as the other. It is wrong by at most half of what it shows as `wire`, and never by the worker's own time.
 *
 * Inputs made ahead are placed at the beginning of the pause before the task, those of several shards together at the
 * task's beginning. Spans of `wire` overlap the others, which never overlap each other.
 */
export class WorkerTimeline {
  /** Where the task before ended. */
  #freeFrom: number;

  /** @param startMs nothing is placed before that */
  constructor(startMs: number) {
    this.#freeFrom = startMs;
  }

  place({ neededAt, receivedAt, beganBy, spent }: TaskTimes): WorkerSpan[] {
    const waitMs = spent.wait / 1000;
    const computeMs = spent.compute / 1000;
    const heldMs = spent.held / 1000;
    const aheadMs = Math.max(0, (spent.gather + spent.compute - spent.held) / 1000);
    const earliest = Math.max(neededAt, this.#freeFrom);
    const began = Math.max(this.#freeFrom, (earliest + beganBy) / 2);
    const ended = Math.max(began, Math.min(began + heldMs, receivedAt));
    const computeFrom = Math.max(began, ended - computeMs);
    const pauseFrom = Math.max(this.#freeFrom, began - waitMs - aheadMs);
    const waitFrom = Math.max(pauseFrom, began - waitMs);
    this.#freeFrom = ended;
    const spans: WorkerSpan[] = [
      { phase: "gather", startMs: pauseFrom, endMs: waitFrom },
      { phase: "wait", startMs: waitFrom, endMs: began },
      { phase: "gather", startMs: began, endMs: computeFrom },
      { phase: "compute", startMs: computeFrom, endMs: ended },
      { phase: "wire", startMs: Math.min(neededAt, began), endMs: began },
      { phase: "wire", startMs: ended, endMs: receivedAt },
    ];
    return spans.filter(({ startMs, endMs }) => endMs > startMs);
  }
}
